"""Checks of architectures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import nn

from mtl_core.nn.architecture import Architecture, NetworkParts, build_architecture, validate_features
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.specs import ArchitectureSpec
from mtl_core.testing.checks import Checks, build_accepted, expect, fail
from mtl_core.testing.modules import ModuleFixture, add_module_checks
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_modules import (
    SampleBackbone,
    SampleInputLayer,
    collate_samples,
    name_shapes,
    unpad_features,
)
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.task_parameters import (
    check_not_stacked,
    check_shared,
    check_stacked,
    check_task_specific,
    compute_task_gradients,
    index_task_parameters,
)
from mtl_core.testing.tensors import describe_value, expect_finite, expect_rows, expect_tensor

TASKS = ("first", "second.task", "third")
ALL_ACTIVE = (True, True, True)


def architecture_checks(
    spec: ArchitectureSpec, shapes: Sequence[FeatureShape] | None, skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.architecture_checks`."""
    checks = spec_checks(spec)
    candidates = name_shapes(shapes)
    if shapes is None:  # only architectures that are used with images need to support them
        del candidates["spatial"]
    for variant in build_accepted(checks, candidates, partial(_build, spec), "features"):
        fixture = ModuleFixture(
            partial(_build, spec, candidates[variant]),
            partial(_run_all_tasks, spec),
            candidates[variant],
            variant,
            tolerance,
        )
        _add_checks(checks, spec, fixture)
    return checks.skip_checks(skip)


def _add_checks(checks: Checks, spec: ArchitectureSpec, fixture: ModuleFixture) -> None:
    def add(name: str, description: str, test: Callable[[ArchitectureSpec, ModuleFixture], None]) -> None:
        checks.add(name, description, lambda: test(spec, fixture), fixture.variant)

    description = (
        "It returns features of the declared shape, one for all tasks or one per task, for any number of tasks."
    )
    add("shape", description, _check_shape)
    add_module_checks(checks, fixture)
    add("active", "A task's features do not depend on which other tasks are active.", _check_active)
    add(
        "regularization-loss",
        "The regularization loss is one finite number with finite gradients, or None.",
        _check_regularization_loss,
    )
    add(
        "task-parameters",
        "`task_parameters` returns the parameters that only one task uses; `stacked_parameters` has one row per task.",
        _check_task_parameters,
    )


def _build(spec: ArchitectureSpec, shape: FeatureShape, tasks: Sequence[str] = TASKS) -> Architecture:
    parts = NetworkParts(lambda: SampleInputLayer(shape), SampleBackbone)
    return build_architecture(spec, parts, tasks)


def _compute_features(
    module: nn.Module, features: Features, active: Sequence[bool] = ALL_ACTIVE
) -> list[Features | None]:
    outputs = module(features, list(active))
    expect(len(outputs) in (1, len(active)), f"expected features for all tasks or one per task, found {len(outputs)}")
    return list(outputs)


def _run_all_tasks(spec: ArchitectureSpec, module: nn.Module, features: Features) -> list[torch.Tensor]:
    """Return each example's features of all tasks, flattened and concatenated."""
    rows: list[list[torch.Tensor]] = []
    for task, task_features in enumerate(_compute_features(module, features)):
        if task_features is None:
            fail(f"expected features for the active task {task}, found None")
        rows.append(unpad_features(task_features))
    return [torch.cat([row.flatten() for row in example]) for example in zip(*rows, strict=True)]


def _check_shape(spec: ArchitectureSpec, fixture: ModuleFixture) -> None:
    with temporary_seed(0), torch.no_grad():
        features = collate_samples(fixture.draw_samples(), extra_padding=1)
        for tasks in (TASKS, TASKS[:1]):
            module = _build(spec, fixture.inputs, tasks).eval()
            output = module.output
            outputs = _compute_features(module, features, [True] * len(tasks))
            n_features = len(tasks) if spec.task_specific_features else 1
            expect(
                len(outputs) == n_features,
                f"expected {n_features} features for {len(tasks)} tasks, since `task_specific_features` is "
                f"{spec.task_specific_features}, found {len(outputs)}",
            )
            for task_features in outputs:
                checked = validate_features(task_features, output)
                leading_shape = features.values.shape[:2] if output.sequence else features.values.shape[:1]
                expect_tensor(checked.values, (*leading_shape, output.width, *(output.size or ())), "the features")
                expect(
                    (checked.mask is not None) == output.sequence,
                    "expected a mask if `output` is a sequence, and no mask otherwise",
                )


def _check_active(spec: ArchitectureSpec, fixture: ModuleFixture) -> None:
    if not spec.task_specific_features:
        return
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        features = collate_samples(fixture.draw_samples())
        all_features = _compute_features(module, features)
        for active in ((True, False, True), (False, True, False)):
            features_of_active = _compute_features(module, features, active)
            for task, is_active in enumerate(active):
                one, other = features_of_active[task], all_features[task]
                if is_active and one is not None and other is not None:
                    name = f"the features of task {task} when other tasks are inactive"
                    expect_rows(unpad_features(one), unpad_features(other), fixture.tolerance, name)
                expect(not is_active or one is not None, f"expected features for the active task {task}, found None")


def _check_regularization_loss(spec: ArchitectureSpec, fixture: ModuleFixture) -> None:
    with temporary_seed(0):
        module = fixture.build_module()
        if not isinstance(module, Architecture):
            fail(f"expected an Architecture, found {describe_value(module)}")
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        for when in ("before", "after"):
            regularization_loss = module.regularization_loss()
            if regularization_loss is None:
                return
            expect_tensor(regularization_loss, (), f"the regularization loss {when} a batch")
            expect_finite(regularization_loss, f"the regularization loss {when} a batch")
            _compute_features(module, collate_samples(fixture.draw_samples()))
        if regularization_loss is not None and regularization_loss.requires_grad:
            regularization_loss.backward()  # type: ignore[no-untyped-call]
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    expect_finite(parameter.grad, f"the gradient of the regularization loss at '{name}'")


def _check_task_parameters(spec: ArchitectureSpec, fixture: ModuleFixture) -> None:
    """Compare `task_parameters` with the parameters that each task's gradients reach."""
    with temporary_seed(0):
        module = fixture.build_module()
        if not isinstance(module, Architecture):
            fail(f"expected an Architecture, found {describe_value(module)}")
        trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
        task_by_id = index_task_parameters(module, len(TASKS))
        stacked = {id(parameter) for parameter in module.stacked_parameters()}
        both = stacked & task_by_id.keys()
        expect(not both, f"expected each parameter to be stacked or of one task, found {len(both)} that are both")
        foreign = stacked - {id(parameter) for parameter in module.parameters()}
        expect(not foreign, f"expected `stacked_parameters` to return only own parameters, found {len(foreign)} others")
        totals: list[torch.Tensor | None] = []
        for features in _compute_features(module, collate_samples(fixture.draw_samples())):
            if features is None or not features.values.requires_grad:
                totals.append(None)
                continue
            rows = unpad_features(features)
            totals.append(torch.stack([(row * torch.randn_like(row)).sum() for row in rows]).sum())
        gradients_by_id = compute_task_gradients(totals, list(trainable.values()))
    for name, parameter in trainable.items():
        owner = task_by_id.get(id(parameter))
        if owner is not None:
            check_task_specific(name, owner, gradients_by_id[id(parameter)])
        elif id(parameter) in stacked:
            check_stacked(name, gradients_by_id[id(parameter)])
        elif spec.task_specific_features:
            check_shared(name, gradients_by_id[id(parameter)])
            check_not_stacked(name, gradients_by_id[id(parameter)])
