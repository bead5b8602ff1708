"""Checks of weightings in a small training."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch

from mtl_core.model.task_keys import task_keys
from mtl_core.specs import WeightingSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_core.testing.tensors import expect_close, expect_finite
from mtl_core.training.losses import TaskLosses

COMING_AND_GOING = ((0, 1, 2, 3), (0, 2, 3), (1, 2), (3,), (0, 1, 2, 3), (0, 1))
"""The tasks that have labels in each batch of an epoch."""
TWO_ALONE = ((0, 1), (1,), (0, 1), (0,))
"""The same for an epoch in which two tasks have no labels."""


def add_step_checks(checks: Checks, spec: WeightingSpec, tolerance: float) -> None:
    """Add the checks of a weighting in a small training."""
    checks.add(
        "at",
        "The same step and seed give the same weights; torch's global generator is unchanged.",
        lambda: _at(spec),
    )
    checks.add(
        "backward",
        "Parameters of labelled tasks get finite gradients, those of idle tasks none; a regularization loss "
        "is added unweighted.",
        lambda: _backward(spec, tolerance),
    )
    checks.add(
        "idle-tasks",
        "The state of two tasks is unchanged while only other tasks have labels.",
        lambda: _idle(spec),
    )
    checks.add(
        "training", "Losses fall in a training with different labelled tasks per batch.", lambda: _training(spec)
    )
    checks.add(
        "save-and-load",
        "Resumed from a checkpoint, the training is equal bit for bit.",
        lambda: _saved(spec),
    )


def _influence(run: SampleRun, losses: TaskLosses) -> torch.Tensor:
    """Return the current weight of each loss, without changing the weighting."""
    weighting = deepcopy(run.objective.weighting)
    weighting.at(3, 10, 5)
    values = losses.values.detach().requires_grad_()
    [slope] = torch.autograd.grad(weighting(TaskLosses(values, losses.tasks, losses.counts)), [values])
    return slope


def _epoch(run: SampleRun, batches: Sequence[tuple[int, ...]] = COMING_AND_GOING) -> None:
    for active in batches:
        run.step(active)
    run.end_epoch()


def _at(spec: WeightingSpec) -> None:
    with seeded(0):
        run = SampleRun(spec)
        module, losses = run.objective.weighting, run.losses()
        totals = []
        for step, seed in ((3, 5), (4, 6), (3, 5)):
            with left_alone():
                module.at(step, 10, seed)
            totals.append(module(losses))
        expect_close(totals[2], totals[0], 0, "the total, with the same step and seed again")


def _backward(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        for active in ((0, 1, 3), (2,)):
            plain, more = (_gradients(spec, active, extra) for extra in (False, True))
            _check_reached(plain, active)
            for name, found in plain.items():
                expected = torch.nan_to_num(found + 0.5 if name.startswith("body.") else found)
                what = f"the gradient at '{name}', with half the sum of shared parameters as regularization loss"
                expect_close(torch.nan_to_num(more[name]), expected, max(tolerance, 1e-5), what)


def _check_reached(gradients: Mapping[str, torch.Tensor], active: Collection[int]) -> None:
    idle = [f"heads.{key}." for task, key in enumerate(task_keys(TASKS)) if task not in active]
    for name, found in gradients.items():
        if any(key in name for key in idle):
            expect(found.isnan().all(), f"expected no gradient at '{name}', whose task has no label, found one")
        else:
            expect_finite(found, f"the gradient at '{name}', labels for {len(active)} of 4 tasks (NaN: none)")
            expect(found.any(), f"expected a gradient at '{name}', labels for {len(active)} of 4 tasks, found 0")


def _gradients(spec: WeightingSpec, active: Collection[int], extra: bool) -> dict[str, torch.Tensor]:
    """Return each parameter's gradient in a second step; NaN if it has none."""
    run = SampleRun(spec)
    run.step()
    run.optimizer.zero_grad()
    penalty = sum((p.sum() * 0.5 for p in run.network.body.parameters()), torch.zeros(())) if extra else None
    run.objective.backward(run.losses(active), penalty, run.gradients)
    return {
        name: torch.full_like(parameter, torch.nan) if parameter.grad is None else parameter.grad
        for name, parameter in run.network.named_parameters()
    }


def _idle(spec: WeightingSpec) -> None:
    with seeded(0):
        run = SampleRun(spec)
        _epoch(run)
        _epoch(run)
        losses = run.losses()
        before = _influence(run, losses)
        _epoch(run, TWO_ALONE)
        after = _influence(run, losses)
    ratios = [float(slope[2] / slope[3]) for slope in (before, after)]
    expect(
        abs(ratios[1] / ratios[0] - 1) < 1e-4,
        f"expected the same ratio of the weights of two tasks without labels, found {ratios[0]:.6g} "
        f"and then {ratios[1]:.6g}",
    )


def _training(spec: WeightingSpec) -> None:
    with seeded(0):
        run = SampleRun(spec)
        first = run.losses().values.detach()
        for _ in range(4):
            _epoch(run)
            _epoch(run, TWO_ALONE)
        last = run.losses().values.detach()
        for name, parameter in [*run.network.named_parameters(), *run.objective.named_parameters()]:
            expect_finite(parameter.detach(), f"the parameter '{name}' after 40 steps")
    if not last.sum() < first.sum():
        fail(f"expected losses to fall in 40 steps, found {first.tolist()} and then {last.tolist()}")


def _saved(spec: WeightingSpec) -> None:
    with seeded(0), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        run = SampleRun(spec)
        _epoch(run)
        _epoch(run)
        run.step()
        run.save(path)
        other = SampleRun(spec)
        other.load(path)
        for one in (run, other):
            one.step((0, 1, 2))
            one.step()
            one.end_epoch()
            _epoch(one)
        for module, another in ((run.network, other.network), (run.objective, other.objective)):
            states = zip(module.state_dict().items(), another.state_dict().values(), strict=True)
            for (name, value), found in states:
                expected, found = torch.nan_to_num(value), torch.nan_to_num(found)
                expect_close(found, expected, 0, f"'{name}', resumed from a checkpoint")
