"""Checks of architectures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import nn

from mtl_core.model.architecture import Architecture, NetworkParts, build_architecture, checked_features
from mtl_core.model.features import Features, FeatureShape
from mtl_core.specs import ArchitectureSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.modules import Probe, add_module_checks
from mtl_core.testing.randomness import seeded
from mtl_core.testing.sample_network import SampleBackbone, SampleInput
from mtl_core.testing.samples import batched, named_shapes, rows_of
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_finite, expect_rows, expect_tensor, shown

TASKS = ("first", "second.task", "third")
ALL = (True, True, True)


def architecture_checks(
    spec: ArchitectureSpec, shapes: Sequence[FeatureShape] | None, without: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.architecture_checks`."""
    checks = spec_checks(spec)
    tried = named_shapes(shapes)
    for variant in accepted(checks, tried, partial(_made, spec), "features"):
        probe = Probe(partial(_made, spec, tried[variant]), partial(_run, spec), tried[variant], variant, tolerance)
        _add(checks, spec, probe)
    return checks.without(without)


def _add(checks: Checks, spec: ArchitectureSpec, probe: Probe) -> None:
    def add(name: str, what: str, test: Callable[[ArchitectureSpec, Probe], None]) -> None:
        checks.add(name, what, lambda: test(spec, probe), probe.variant)

    what = "It returns features of the declared shape, one for all tasks or one per task, for any number of tasks."
    add("shape", what, _shape)
    add_module_checks(checks, probe)
    add("active", "A task's features do not depend on which other tasks are active.", _active)
    add("penalty", "The regularization loss is one finite number with finite gradients, or None.", _penalty)
    add("own-parameters", "`task_parameters` returns the parameters that only one task uses.", _own_parameters)


def _made(spec: ArchitectureSpec, shape: FeatureShape, tasks: Sequence[str] = TASKS) -> Architecture:
    parts = NetworkParts(lambda: SampleInput(shape), SampleBackbone)
    return build_architecture(spec, parts, tasks)


def _features(module: nn.Module, features: Features, active: Sequence[bool] = ALL) -> list[Features | None]:
    found = module(features, list(active))
    expect(len(found) in (1, len(active)), f"expected features for all tasks or one per task, found {len(found)}")
    return list(found)


def _run(spec: ArchitectureSpec, module: nn.Module, features: Features) -> list[torch.Tensor]:
    """Return each example's features of all tasks, flattened and concatenated."""
    rows: list[list[torch.Tensor]] = []
    for place, said in enumerate(_features(module, features)):
        if said is None:
            fail(f"expected features for the active task {place}, found None")
        rows.append(rows_of(said))
    return [torch.cat([one.flatten() for one in example]) for example in zip(*rows, strict=True)]


def _shape(spec: ArchitectureSpec, probe: Probe) -> None:
    with seeded(0), torch.no_grad():
        features = batched(probe.samples(), more=1)
        for tasks in (TASKS, TASKS[:1]):
            module = _made(spec, probe.inputs, tasks).eval()
            output = module.output
            found = _features(module, features, [True] * len(tasks))
            several = len(tasks) if spec.own_features else 1
            expect(
                len(found) == several,
                f"expected {several} features for {len(tasks)} tasks, since `own_features` is {spec.own_features}, "
                f"found {len(found)}",
            )
            for said in found:
                checked = checked_features(said, output)
                inner = features.values.shape[:2] if output.sequence else features.values.shape[:1]
                expect_tensor(checked.values, (*inner, output.width), "the features")
                expect(
                    (checked.mask is not None) == output.sequence,
                    "expected a mask if `output` is a sequence, and no mask otherwise",
                )


def _active(spec: ArchitectureSpec, probe: Probe) -> None:
    if not spec.own_features:
        return
    with seeded(0), torch.no_grad():
        module = probe.ready()
        features = batched(probe.samples())
        every = _features(module, features)
        for active in ((True, False, True), (False, True, False)):
            found = _features(module, features, active)
            for task, on in enumerate(active):
                one, other = found[task], every[task]
                if on and one is not None and other is not None:
                    what = f"the features of task {task} when other tasks are inactive"
                    expect_rows(rows_of(one), rows_of(other), probe.tolerance, what)
                expect(not on or one is not None, f"expected features for the active task {task}, found None")


def _penalty(spec: ArchitectureSpec, probe: Probe) -> None:
    with seeded(0):
        module = probe.ready()
        if not isinstance(module, Architecture):
            fail(f"expected an Architecture, found {shown(module)}")
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        for when in ("before", "after"):
            penalty = module.penalty()
            if penalty is None:
                return
            expect_tensor(penalty, (), f"the regularization loss {when} a batch")
            expect_finite(penalty, f"the regularization loss {when} a batch")
            _features(module, batched(probe.samples()))
        if penalty is not None and penalty.requires_grad:
            penalty.backward()  # type: ignore[no-untyped-call]
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    expect_finite(parameter.grad, f"the gradient of the regularization loss at '{name}'")


def _own_parameters(spec: ArchitectureSpec, probe: Probe) -> None:
    """Compare `task_parameters` with the parameters that each task's gradients reach."""
    with seeded(0):
        module = probe.ready()
        if not isinstance(module, Architecture):
            fail(f"expected an Architecture, found {shown(module)}")
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        own = {id(p): task for task in range(len(TASKS)) for p in module.task_parameters(task)}
        strange = own.keys() - {id(parameter) for parameter in module.parameters()}
        expect(not strange, f"expected only parameters of the module, found {len(strange)} others")
        reached = _reached(module, probe, list(trained.values()))
    for name, parameter in trained.items():
        tasks, owner = reached[id(parameter)], own.get(id(parameter))
        if owner is not None:
            expect(
                set(tasks) <= {owner},
                f"expected only task {owner} to use the parameter '{name}', as `task_parameters` declares, found "
                f"that the gradients of the tasks {tasks} reach it",
            )
        elif spec.own_features:
            expect(
                len(tasks) != 1,
                f"expected `task_parameters({tasks[0] if tasks else 0})` to contain the parameter '{name}', which"
                " no other task uses: the parameters of an idle task must not change",
            )


def _reached(module: nn.Module, probe: Probe, trained: Sequence[nn.Parameter]) -> dict[int, list[int]]:
    """Return the tasks whose features depend on each parameter."""
    found: dict[int, list[int]] = {id(parameter): [] for parameter in trained}
    for task, features in enumerate(_features(module, batched(probe.samples()))):
        if features is None or not features.values.requires_grad:
            continue
        total = torch.stack([(row * torch.randn_like(row)).sum() for row in rows_of(features)]).sum()
        gradients = torch.autograd.grad(total, trained, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(trained, gradients, strict=True):
            if gradient is not None and gradient.any():
                found[id(parameter)].append(task)
    return found
