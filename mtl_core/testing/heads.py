"""Checks of heads, built as the core builds them: as one module per head group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadGroup, HeadOutput
from mtl_core.nn.network import build_head_group
from mtl_core.plugins.specs import HeadSpec
from mtl_core.testing.checks import Checks, build_accepted, expect, fail
from mtl_core.testing.head_groups import check_grouped
from mtl_core.testing.modules import ModuleFixture, add_module_checks
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_modules import collate_samples, draw_sample_features, name_shapes
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.task_parameters import (
    TaskGradients,
    check_not_stacked,
    check_shared,
    check_stacked,
    check_task_specific,
    compute_task_gradients,
    index_task_parameters,
)
from mtl_core.testing.tensors import describe_value, expect_close, expect_tensor

TASKS = ("first", "second", "third")
OUTPUT_COUNTS = (1, 2, 5)
"""Numbers of outputs that a head is built with: 1 for a binary task, one per class otherwise."""


def head_checks(
    spec: HeadSpec, shapes: Sequence[FeatureShape] | None, skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.head_checks`."""
    checks = spec_checks(spec)

    def build_group(shape: FeatureShape, n_outputs: int = 3, tasks: Sequence[str] = TASKS) -> HeadGroup:
        return build_head_group(spec, shape, n_outputs, tasks)

    candidates = name_shapes(shapes)
    for variant in build_accepted(checks, candidates, build_group, "features"):
        fixture = ModuleFixture(
            partial(build_group, candidates[variant]), _run_all_tasks, candidates[variant], variant, tolerance
        )
        _add_checks(checks, spec, fixture)
    return checks.skip_checks(skip)


def _add_checks(checks: Checks, spec: HeadSpec, fixture: ModuleFixture) -> None:
    def add(name: str, description: str, test: Callable[[ModuleFixture], None]) -> None:
        checks.add(name, description, lambda: test(fixture), fixture.variant)

    description = f"It returns the requested number of outputs per {spec.level}, for one task and for several."
    checks.add("shape", description, lambda: _check_shape(spec, fixture.inputs), fixture.variant)
    add("attention", "If it returns attention, each row sums to 1 and padding gets none.", _check_attention)
    add_module_checks(checks, fixture)
    add("output-mask", "Outputs inside the output mask do not depend on the rest of the mask.", _check_output_mask)
    description = "It declares which parameters belong to which task, so that those of idle tasks do not change."
    add("task-parameters", description, _check_task_parameters)
    description = "A group computes the same as one group per task with the same weights."
    checks.add(
        "grouped",
        description,
        lambda: check_grouped(spec, fixture.inputs, TASKS, fixture.tolerance),
        fixture.variant,
    )


def _compute_outputs(module: nn.Module, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
    head_output = module(features, output_mask)
    if not isinstance(head_output, HeadOutput):
        raise AssertionError(f"expected a head group to return a HeadOutput, found {describe_value(head_output)}")
    return head_output


def _run_all_tasks(module: nn.Module, features: Features) -> list[torch.Tensor]:
    """Return each example's outputs of all tasks and its attention, without padding."""
    head_output = _compute_outputs(module, features)
    mask = features.mask
    rows = []
    for index, outputs in enumerate(head_output.outputs):
        unpadded = outputs[:, mask[index]] if outputs.ndim == 3 and mask is not None else outputs
        row_parts = [unpadded.flatten()]
        if head_output.attention is not None and mask is not None:
            row_parts.append(head_output.attention[index][:, mask[index]].detach().flatten())
        rows.append(torch.cat(row_parts))
    return rows


def _check_shape(spec: HeadSpec, shape: FeatureShape) -> None:
    if spec.level == "pixel" and shape.image_size is not None:
        height, width = shape.image_size
        _check_outputs(spec, replace(shape, image_size=(2 * height + 1, width)))
    _check_outputs(spec, shape)


def _check_outputs(spec: HeadSpec, shape: FeatureShape) -> None:
    with temporary_seed(0), torch.no_grad():
        features = collate_samples(draw_sample_features(shape), extra_padding=1)
        batch, length = features.values.shape[:2]
        for n_outputs in OUTPUT_COUNTS:
            for tasks in (TASKS, TASKS[:1]):
                module = build_head_group(spec, shape, n_outputs, tasks).eval()
                expect(
                    isinstance(module, HeadGroup),
                    f"expected `build_group` to return a HeadGroup, found {describe_value(module)}",
                )
                trailing_shape = _get_trailing_shape(spec, shape, length, n_outputs)
                name = f"the outputs of {len(tasks)} tasks with {n_outputs} outputs each"
                expect_tensor(_compute_outputs(module, features).outputs, (batch, len(tasks), *trailing_shape), name)


def _get_trailing_shape(spec: HeadSpec, shape: FeatureShape, length: int, n_outputs: int) -> tuple[int, ...]:
    if spec.level == "example":
        return (n_outputs,)
    if spec.level == "token" or shape.image_size is None:
        return (length, n_outputs)
    return (shape.image_size[0] * shape.image_size[1], n_outputs)


def _check_attention(fixture: ModuleFixture) -> None:
    with temporary_seed(0), torch.no_grad():
        features = collate_samples(fixture.draw_samples(), extra_padding=2)
        attention = _compute_outputs(fixture.build_module(), features).attention
        if attention is None:
            return
        mask = features.mask
        if mask is None:
            raise AssertionError("expected no attention for features without tokens, found some")
        expect_tensor(attention, (len(mask), len(TASKS), mask.shape[1]), "the attention: (batch, tasks, length)")
        expect_close(attention.sum(dim=2), torch.ones(len(mask), len(TASKS)), 1e-5, "the sum of the attention")
        expect(not attention[~mask.unsqueeze(1).expand_as(attention)].any(), "expected no attention to padding")
        expect((attention >= 0).all(), "expected no attention below 0")


def _check_output_mask(fixture: ModuleFixture) -> None:
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        features = collate_samples(fixture.draw_samples(), extra_padding=1)
        all_outputs = _compute_outputs(module, features).outputs
        output_mask = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=torch.bool)
        for mask in (output_mask, output_mask & torch.tensor([True, False, True])):
            masked_outputs = _compute_outputs(module, features, mask).outputs
            expect(
                masked_outputs.shape == all_outputs.shape,
                f"expected outputs of shape {tuple(all_outputs.shape)}, found {describe_value(masked_outputs)}",
            )
            for example, task in mask.nonzero().tolist():
                unpadded = (
                    (slice(None),) if all_outputs.ndim == 3 or features.mask is None else (features.mask[example],)
                )
                name = f"the output of example {example + 1} for the {TASKS[task]} task, inside the output mask"
                expect_close(
                    masked_outputs[example, task][unpadded],
                    all_outputs[example, task][unpadded],
                    fixture.tolerance,
                    name,
                )


def _check_task_parameters(fixture: ModuleFixture) -> None:
    """Compare `stacked_parameters` and `task_parameters` with the gradients of each task's outputs."""
    with temporary_seed(0):
        module = fixture.build_module()
        if not isinstance(module, HeadGroup):
            fail(f"expected a HeadGroup, found a {type(module).__name__}")
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        stacked = {id(parameter) for parameter in module.stacked_parameters()}
        task_by_id = index_task_parameters(module, len(TASKS))
        foreign_ids = stacked - names.keys()
        expect(not foreign_ids, f"expected only parameters of the module, found {len(foreign_ids)} others")
        duplicates = sorted(names[parameter_id] for parameter_id in stacked & task_by_id.keys())
        expect(
            not duplicates,
            f"expected each parameter to be declared once, found stacked and task-specific: {duplicates}",
        )
        gradients_by_id = _compute_gradients(fixture, module)
    for parameter in module.parameters():
        name, task_gradients = names[id(parameter)], gradients_by_id.get(id(parameter))
        if id(parameter) in stacked and (not parameter.ndim or len(parameter) != len(TASKS)):
            fail(
                f"expected the stacked parameter '{name}' to have {len(TASKS)} rows, one per task, "
                f"found the shape {tuple(parameter.shape)}"
            )
        if task_gradients is None:
            continue
        if id(parameter) in stacked:
            check_stacked(name, task_gradients)
        elif id(parameter) in task_by_id:
            check_task_specific(name, task_by_id[id(parameter)], task_gradients)
        else:
            check_shared(name, task_gradients)
            check_not_stacked(name, task_gradients)


def _compute_gradients(fixture: ModuleFixture, module: HeadGroup) -> dict[int, TaskGradients]:
    features = collate_samples(fixture.draw_samples(), extra_padding=1)
    outputs = module(features).outputs
    if outputs.ndim == 4 and features.mask is not None:
        outputs = outputs * features.mask.unsqueeze(1).unsqueeze(-1)
    totals = [(output * torch.randn_like(output)).sum() for output in outputs.unbind(dim=1)]
    return compute_task_gradients(totals, [p for p in module.parameters() if p.requires_grad])
