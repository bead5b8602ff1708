"""Checks of weightings."""

from collections.abc import Callable, Mapping, Sequence

import torch

from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.checks import Checks, expect, fail
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_close, expect_finite, expect_tensor
from mtl_core.testing.weighting_training import add_step_checks
from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting

VALUES = (0.7, 2.5, 0.1, 1.3)
WEIGHTS = (1.0, 0.5, 2.0, 1.0)
COUNTS = (8, 3, 5, 8)


def weighting_checks(spec: WeightingSpec, skip: Mapping[str, str], tolerance: float) -> Checks:
    """See `mtl_core.testing.weighting_checks`."""
    checks = spec_checks(spec)

    def add(name: str, description: str, test: Callable[[WeightingSpec, float], None]) -> None:
        checks.add(name, description, lambda: test(spec, tolerance))

    add("scalar", "It combines the losses into one finite number, for one task and for several.", _check_scalar)
    add(
        "gradients",
        "Every loss gets a positive, finite gradient, and its own parameters a finite one.",
        _check_gradients,
    )
    add("task-order", "The order of the tasks does not matter.", _check_task_order)
    add("absent-tasks", "The weight of a task without labels in the batch has no influence.", _check_absent_tasks)
    add("weight-zero", "A task of weight 0 has no influence.", _check_weight_zero)
    add("task-weight", "Doubling a task's weight increases its share of the total gradient.", _check_task_weight)
    add("steps", "It stays finite over many steps, with losses near 0 and large ones.", _check_steps)
    add("seed", "It is deterministic for a seed; Python's and NumPy's generators are unchanged.", _check_seed)
    add_step_checks(checks, spec, tolerance)
    return checks.skip_checks(skip)


def _create_losses(tasks: Sequence[int] = range(4), values: Sequence[float] = VALUES) -> TaskLosses:
    counts = torch.zeros(len(values), dtype=torch.int64)
    for task in tasks:
        counts[task] = COUNTS[task]
    present_values = torch.tensor([values[task] for task in tasks], requires_grad=True)
    return TaskLosses(present_values, torch.tensor(list(tasks)), counts)


def _build(spec: WeightingSpec, weights: Sequence[float] = WEIGHTS) -> Weighting:
    torch.manual_seed(0)
    module = spec.build(TASKS[: len(weights)], list(weights))
    expect(isinstance(module, Weighting), f"expected `build` to return a Weighting, found {describe_value(module)}")
    return module.train()


def _compute_loss_weights(module: Weighting, losses: TaskLosses) -> torch.Tensor:
    """Return the weight of each loss: the gradient of the total."""
    [loss_weights] = torch.autograd.grad(module(losses), [losses.values])
    return loss_weights


def _check_scalar(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        for tasks in (range(4), [2], [0, 3]):
            total = _build(spec)(_create_losses(tasks))
            expect_tensor(total, (), f"the total of {len(tasks)} losses")
            expect_finite(total, f"the total of {len(tasks)} losses")
        expect_tensor(_build(spec, WEIGHTS[:1])(_create_losses([0], VALUES[:1])), (), "the total of one task")


def _check_gradients(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        module, losses = _build(spec), _create_losses()
        total = module(losses)
        expect(total.requires_grad, "expected a differentiable total, found one without `requires_grad`")
        total.backward()
        loss_grad = losses.values.grad
        if loss_grad is None:
            fail("expected gradients at the losses, found none")
        expect_finite(loss_grad, "the gradients at the losses")
        expect((loss_grad > 0).all(), f"expected every loss to be minimized, found the gradients {loss_grad.tolist()}")
        for name, parameter in module.named_parameters():
            is_finite = parameter.grad is not None and bool(torch.isfinite(parameter.grad).all())
            expect(is_finite or not parameter.requires_grad, f"expected a finite gradient at the parameter '{name}'")


def _check_task_order(spec: WeightingSpec, tolerance: float) -> None:
    order = [2, 0, 3, 1]
    with temporary_seed(0):
        expected = _build(spec)(_create_losses())
        torch.manual_seed(0)
        module = spec.build([TASKS[task] for task in order], [WEIGHTS[task] for task in order]).train()
        values = torch.tensor([VALUES[task] for task in order], requires_grad=True)
        counts = torch.tensor([COUNTS[task] for task in order])
        actual = module(TaskLosses(values, torch.arange(4), counts))
        expect_close(actual, expected, tolerance, "the total, the tasks in another order")
        reordered = _create_losses([3, 1, 0, 2])
        expect_close(_build(spec)(reordered), expected, tolerance, "the total, the losses in another order")


def _check_absent_tasks(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        expected = _compute_loss_weights(_build(spec), _create_losses([0, 2]))
        changed_weights = (WEIGHTS[0], WEIGHTS[1] * 9, WEIGHTS[2], WEIGHTS[3] * 5)
        actual = _compute_loss_weights(_build(spec, changed_weights), _create_losses([0, 2]))
        expect_close(actual, expected, tolerance, "the weights of labelled tasks, with other absent weights")


def _check_weight_zero(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        loss_weights = _compute_loss_weights(_build(spec, (0.0, *WEIGHTS[1:])), _create_losses())
        expect(
            loss_weights[0] == 0,
            f"expected a task of weight 0 to have no gradient, found {float(loss_weights[0]):.4g}",
        )


def _check_task_weight(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        shares = []
        for weight in (WEIGHTS[1], WEIGHTS[1] * 2):
            loss_weights = _compute_loss_weights(_build(spec, (WEIGHTS[0], weight, *WEIGHTS[2:])), _create_losses())
            shares.append(float(loss_weights[1] / loss_weights.sum()))
        expect(
            shares[1] > shares[0] * 1.01,
            f"expected a larger share of the gradient for twice the weight, found {shares[0]:.4g} and then "
            f"{shares[1]:.4g}",
        )


def _check_steps(spec: WeightingSpec, tolerance: float) -> None:
    """Call the weighting as a run does, with sample losses that are not attached to a network."""
    with temporary_seed(0):
        module, gradients = _build(spec), SampleRun(spec).gradients
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=0.01) if parameters else None
        for step in range(30):
            scale = (1.0, 1e-6, 1e4)[step % 3]
            tasks = [task for task in range(4) if (step + task) % 4]
            losses = _create_losses(tasks, [value * scale for value in VALUES])
            module.on_step_start(step, 30, step)
            expect_finite(module(losses), f"the total of step {step + 1}, of losses around {scale:g}")
            module.backward(losses, None, gradients)
            if losses.values.grad is not None:
                expect_finite(losses.values.grad, f"the weights of the tasks in step {step + 1}")
            if optimizer is not None:
                optimizer.step()
                optimizer.zero_grad()
            module.on_step_end(lambda tasks=tasks, scale=scale: _create_losses(tasks, [scale] * 4))  # type: ignore[misc]
            if step % 5 == 4:
                module.on_epoch_end([None if task == step % 4 else scale for task in range(4)])
        zero = module(_create_losses(values=[0.0, 1.0, 1.0, 1.0]))
        expect_finite(zero, "the total with a loss of 0")


def _check_seed(spec: WeightingSpec, tolerance: float) -> None:
    with temporary_seed(0):
        with preserves_rng_state(include_torch=False):
            first = _build(spec)(_create_losses())
        expect_close(_build(spec)(_create_losses()), first, 0, "the total of a second weighting with the same seed")
