"""Checks of weightings in a small training."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch

from mtl_core.nn.task_keys import build_task_keys
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.checks import Checks, expect, fail
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_core.testing.tensors import expect_close, expect_finite
from mtl_core.training.losses import TaskLosses

CHANGING_TASKS = ((0, 1, 2, 3), (0, 2, 3), (1, 2), (3,), (0, 1, 2, 3), (0, 1))
"""The tasks that have labels in each batch of an epoch."""

TWO_LABELLED_TASKS = ((0, 1), (1,), (0, 1), (0,))
"""The same for an epoch in which two tasks have no labels."""


def add_step_checks(checks: Checks, spec: WeightingSpec, tolerance: float) -> None:
    """Add the checks of a weighting in a small training."""
    checks.add(
        "on-step-start",
        "The same step and seed give the same weights; torch's global generator is unchanged.",
        lambda: _check_step_start(spec),
    )
    checks.add(
        "backward",
        "Parameters of labelled tasks get finite gradients, those of idle tasks none; a regularization loss "
        "is added unweighted.",
        lambda: _check_backward(spec, tolerance),
    )
    checks.add(
        "idle-tasks",
        "The state of two tasks is unchanged while only other tasks have labels.",
        lambda: _check_idle_tasks(spec),
    )
    checks.add(
        "training",
        "Losses fall in a training with different labelled tasks per batch.",
        lambda: _check_training(spec),
    )
    checks.add(
        "save-and-load",
        "Resumed from a checkpoint, the training is equal bit for bit.",
        lambda: _check_resume(spec),
    )


def _compute_loss_weights(run: SampleRun, losses: TaskLosses) -> torch.Tensor:
    """Return the current weight of each loss, without changing the weighting."""
    weighting = deepcopy(run.objective.weighting)
    weighting.on_step_start(3, 10, 5)
    values = losses.values.detach().requires_grad_()
    [loss_weights] = torch.autograd.grad(weighting(TaskLosses(values, losses.tasks, losses.counts)), [values])
    return loss_weights


def _run_epoch(run: SampleRun, batches: Sequence[tuple[int, ...]] = CHANGING_TASKS) -> None:
    for active in batches:
        run.run_step(active)
    run.end_epoch()


def _check_step_start(spec: WeightingSpec) -> None:
    with temporary_seed(0):
        run = SampleRun(spec)
        module, losses = run.objective.weighting, run.compute_losses()
        totals = []
        for step, seed in ((3, 5), (4, 6), (3, 5)):
            with preserves_rng_state():
                module.on_step_start(step, 10, seed)
            totals.append(module(losses))
        expect_close(totals[2], totals[0], 0, "the total, with the same step and seed again")


def _check_backward(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        for active in ((0, 1, 3), (2,)):
            gradients, regularized_gradients = (
                _compute_gradients(spec, active, add_regularization) for add_regularization in (False, True)
            )
            _check_gradients(gradients, active)
            for name, gradient in gradients.items():
                expected = torch.nan_to_num(gradient + 0.5 if name.startswith("trunk.") else gradient)
                message = f"the gradient at '{name}', with half the sum of shared parameters as regularization loss"
                expect_close(torch.nan_to_num(regularized_gradients[name]), expected, max(tolerance, 1e-5), message)


def _check_gradients(gradients: Mapping[str, torch.Tensor], active: Collection[int]) -> None:
    idle = [f"heads.{key}." for task, key in enumerate(build_task_keys(TASKS)) if task not in active]
    for name, gradient in gradients.items():
        if any(key in name for key in idle):
            expect(gradient.isnan().all(), f"expected no gradient at '{name}', whose task has no label, found one")
        else:
            expect_finite(gradient, f"the gradient at '{name}', labels for {len(active)} of 4 tasks (NaN: none)")
            expect(gradient.any(), f"expected a gradient at '{name}', labels for {len(active)} of 4 tasks, found 0")


def _compute_gradients(
    spec: WeightingSpec, active: Collection[int], add_regularization: bool
) -> dict[str, torch.Tensor]:
    """Return each parameter's gradient in a second step; NaN if it has none."""
    run = SampleRun(spec)
    run.run_step()
    run.optimizer.zero_grad()
    regularization_loss = (
        sum((p.sum() * 0.5 for p in run.network.trunk.parameters()), torch.zeros(())) if add_regularization else None
    )
    run.objective.backward(run.compute_losses(active), regularization_loss, run.gradients)
    return {
        name: torch.full_like(parameter, torch.nan) if parameter.grad is None else parameter.grad
        for name, parameter in run.network.named_parameters()
    }


def _check_idle_tasks(spec: WeightingSpec) -> None:
    with temporary_seed(0):
        run = SampleRun(spec)
        _run_epoch(run)
        _run_epoch(run)
        losses = run.compute_losses()
        weights_before = _compute_loss_weights(run, losses)
        _run_epoch(run, TWO_LABELLED_TASKS)
        weights_after = _compute_loss_weights(run, losses)
    ratios = [float(loss_weights[2] / loss_weights[3]) for loss_weights in (weights_before, weights_after)]
    expect(
        abs(ratios[1] / ratios[0] - 1) < 1e-4,
        f"expected the same ratio of the weights of two tasks without labels, found {ratios[0]:.6g} "
        f"and then {ratios[1]:.6g}",
    )


def _check_training(spec: WeightingSpec) -> None:
    with temporary_seed(0):
        run = SampleRun(spec)
        first = run.compute_losses().values.detach()
        for _ in range(4):
            _run_epoch(run)
            _run_epoch(run, TWO_LABELLED_TASKS)
        last = run.compute_losses().values.detach()
        for name, parameter in [*run.network.named_parameters(), *run.objective.named_parameters()]:
            expect_finite(parameter.detach(), f"the parameter '{name}' after 40 steps")
    if not last.sum() < first.sum():
        fail(f"expected losses to fall in 40 steps, found {first.tolist()} and then {last.tolist()}")


def _check_resume(spec: WeightingSpec) -> None:
    with temporary_seed(0), tempfile.TemporaryDirectory() as temporary_dir:
        path = Path(temporary_dir) / "checkpoint.safetensors"
        run = SampleRun(spec)
        _run_epoch(run)
        _run_epoch(run)
        run.run_step()
        run.save(path)
        resumed_run = SampleRun(spec)
        resumed_run.load(path)
        for one in (run, resumed_run):
            one.run_step((0, 1, 2))
            one.run_step()
            one.end_epoch()
            _run_epoch(one)
        for module, another in ((run.network, resumed_run.network), (run.objective, resumed_run.objective)):
            states = zip(module.state_dict().items(), another.state_dict().values(), strict=True)
            for (name, value), actual in states:
                expected, actual = torch.nan_to_num(value), torch.nan_to_num(actual)
                expect_close(actual, expected, 0, f"'{name}', resumed from a checkpoint")
