"""Check that a head group computes the same as one group per task with the same weights."""

import torch

from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadGroup, SeparateHeads
from mtl_core.nn.network import build_head_group
from mtl_core.nn.task_features import TaskFeatures
from mtl_core.plugins.specs import HeadSpec
from mtl_core.testing.checks import expect, fail
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_modules import collate_samples, draw_sample_features
from mtl_core.testing.tensors import expect_close

N_OUTPUTS = 3


def check_grouped(spec: HeadSpec, shape: FeatureShape, names: tuple[str, ...], tolerance: float) -> None:
    """Compare the outputs of a group with those of groups of one task that have its weights.

    Separate modules, which a spec without `build_group` builds, are equal by construction.

    Raises:
        AssertionError: If an output differs, or a group of one task has other parameters.
    """
    with temporary_seed(0), torch.no_grad():
        features = collate_samples(draw_sample_features(shape), extra_padding=1)
        group = build_head_group(spec, shape, N_OUTPUTS, names).eval()
        if isinstance(group, SeparateHeads):
            return
        outputs = group(features).outputs
        for index, name in enumerate(names):
            single = build_head_group(spec, shape, N_OUTPUTS, [name]).eval()
            _copy_task_weights(group, single, index, len(names))
            expected = _select_tokens(single(features).outputs[:, 0], features)
            actual = _select_tokens(outputs[:, index], features)
            expect_close(actual, expected, tolerance, f"the outputs of the {name} task, in a group and alone")
        if spec.reads_task_features:
            _check_task_features(group, features, names, tolerance)


def _check_task_features(group: HeadGroup, features: Features, names: tuple[str, ...], tolerance: float) -> None:
    """Compare the outputs for features per task with those for the features of each task."""
    values = [features.values * (index + 1) for index in range(len(names))]
    active = [index != 1 for index in range(len(names))]
    stacked = torch.stack([one for one, is_active in zip(values, active, strict=True) if is_active])
    outputs = group(TaskFeatures(stacked, active, features.mask)).outputs
    for index, (name, is_active) in enumerate(zip(names, active, strict=True)):
        if is_active:
            expected = _select_tokens(group(Features(values[index], features.mask)).outputs[:, index], features)
            actual = _select_tokens(outputs[:, index], features)
            expect_close(actual, expected, tolerance, f"the outputs of the {name} task from features per task")


def _select_tokens(outputs: torch.Tensor, features: Features) -> torch.Tensor:
    """Return the outputs without those of padding."""
    return outputs[features.mask] if outputs.ndim == 3 and features.mask is not None else outputs


def _copy_task_weights(group: HeadGroup, single: HeadGroup, task: int, n_tasks: int) -> None:
    """Copy the weights of one task, and those that all tasks share, to a group of this task."""
    stacked = {id(parameter) for parameter in group.stacked_parameters()}
    task_ids = {id(p) for index in range(n_tasks) for p in group.task_parameters(index)}
    sources = [
        parameter[task : task + 1] if id(parameter) in stacked else parameter
        for parameter in group.parameters()
        if id(parameter) not in task_ids
    ]
    single_ids = {id(parameter) for parameter in single.task_parameters(0)}
    targets = [parameter for parameter in single.parameters() if id(parameter) not in single_ids]
    sources += group.task_parameters(task)
    targets += single.task_parameters(0)
    expect(
        len(sources) == len(targets),
        f"expected a group of one task to have {len(sources)} parameters, found {len(targets)}",
    )
    for source, target in zip(sources, targets, strict=True):
        if source.shape != target.shape:
            fail(
                f"expected a parameter of shape {tuple(source.shape)} in a group of one task, "
                f"found {tuple(target.shape)}"
            )
        target.copy_(source)
