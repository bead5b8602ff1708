"""Checks of weightings."""

from collections.abc import Callable, Mapping, Sequence

import torch

from mtl_core.specs import WeightingSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_close, expect_finite, expect_tensor, shown
from mtl_core.testing.weighting_steps import add_step_checks
from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting

VALUES = (0.7, 2.5, 0.1, 1.3)
WEIGHTS = (1.0, 0.5, 2.0, 1.0)
COUNTS = (8, 3, 5, 8)


def weighting_checks(spec: WeightingSpec, without: Mapping[str, str], tolerance: float) -> Checks:
    """See `mtl_core.testing.weighting_checks`."""
    checks = spec_checks(spec)

    def add(name: str, what: str, test: Callable[[WeightingSpec, float], None]) -> None:
        checks.add(name, what, lambda: test(spec, tolerance))

    add("scalar", "It combines the losses into one finite number, for one task and for several.", _scalar)
    add(
        "gradients",
        "Every loss gets a positive, finite gradient, and its own parameters a finite one.",
        _gradients,
    )
    add("task-order", "The order of the tasks does not matter.", _order)
    add("absent-tasks", "The weight of a task without labels in the batch has no influence.", _absent)
    add("weight-zero", "A task of weight 0 has no influence.", _zero)
    add("task-weight", "Doubling a task's weight increases its share of the total gradient.", _doubled)
    add("steps", "It stays finite over many steps, with losses near 0 and large ones.", _steps)
    add("seed", "It is deterministic for a seed; Python's and NumPy's generators are unchanged.", _seed)
    add_step_checks(checks, spec, tolerance)
    return checks.without(without)


def _losses(places: Sequence[int] = range(4), values: Sequence[float] = VALUES) -> TaskLosses:
    counts = torch.zeros(len(values), dtype=torch.int64)
    for place in places:
        counts[place] = COUNTS[place]
    chosen = torch.tensor([values[place] for place in places], requires_grad=True)
    return TaskLosses(chosen, torch.tensor(list(places)), counts)


def _built(spec: WeightingSpec, weights: Sequence[float] = WEIGHTS) -> Weighting:
    torch.manual_seed(0)
    module = spec.build(TASKS[: len(weights)], list(weights))
    expect(isinstance(module, Weighting), f"expected `build` to return a Weighting, found {shown(module)}")
    return module.train()


def _influence(module: Weighting, losses: TaskLosses) -> torch.Tensor:
    """Return the weight of each loss: the gradient of the total."""
    [slope] = torch.autograd.grad(module(losses), [losses.values])
    return slope


def _scalar(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        for places in (range(4), [2], [0, 3]):
            total = _built(spec)(_losses(places))
            expect_tensor(total, (), f"the total of {len(places)} losses")
            expect_finite(total, f"the total of {len(places)} losses")
        expect_tensor(_built(spec, WEIGHTS[:1])(_losses([0], VALUES[:1])), (), "the total of one task")


def _gradients(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        module, losses = _built(spec), _losses()
        total = module(losses)
        expect(total.requires_grad, "expected a differentiable total, found one without `requires_grad`")
        total.backward()
        slope = losses.values.grad
        if slope is None:
            fail("expected gradients at the losses, found none")
        expect_finite(slope, "the gradients at the losses")
        expect((slope > 0).all(), f"expected every loss to be minimized, found the gradients {slope.tolist()}")
        for name, parameter in module.named_parameters():
            reached = parameter.grad is not None and bool(torch.isfinite(parameter.grad).all())
            expect(reached or not parameter.requires_grad, f"expected a finite gradient at the parameter '{name}'")


def _order(spec: WeightingSpec, tolerance: float) -> None:
    order = [2, 0, 3, 1]
    with seeded(0):
        expected = _built(spec)(_losses())
        torch.manual_seed(0)
        module = spec.build([TASKS[p] for p in order], [WEIGHTS[p] for p in order]).train()
        values = torch.tensor([VALUES[place] for place in order], requires_grad=True)
        counts = torch.tensor([COUNTS[place] for place in order])
        found = module(TaskLosses(values, torch.arange(4), counts))
        expect_close(found, expected, tolerance, "the total, the tasks in another order")
        turned = _losses([3, 1, 0, 2])
        expect_close(_built(spec)(turned), expected, tolerance, "the total, the losses in another order")


def _absent(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        expected = _influence(_built(spec), _losses([0, 2]))
        changed = (WEIGHTS[0], WEIGHTS[1] * 9, WEIGHTS[2], WEIGHTS[3] * 5)
        found = _influence(_built(spec, changed), _losses([0, 2]))
        expect_close(found, expected, tolerance, "the weights of labelled tasks, with other absent weights")


def _zero(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        slope = _influence(_built(spec, (0.0, *WEIGHTS[1:])), _losses())
        expect(slope[0] == 0, f"expected a task of weight 0 to have no gradient, found {float(slope[0]):.4g}")


def _doubled(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        shares = []
        for weight in (WEIGHTS[1], WEIGHTS[1] * 2):
            slope = _influence(_built(spec, (WEIGHTS[0], weight, *WEIGHTS[2:])), _losses())
            shares.append(float(slope[1] / slope.sum()))
        expect(
            shares[1] > shares[0] * 1.01,
            f"expected a larger share of the gradient for twice the weight, found {shares[0]:.4g} and then "
            f"{shares[1]:.4g}",
        )


def _steps(spec: WeightingSpec, tolerance: float) -> None:
    """Call the weighting as a run does, with sample losses that are not attached to a network."""
    with seeded(0):
        module, gradients = _built(spec), SampleRun(spec).gradients
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=0.01) if parameters else None
        for step in range(30):
            scale = (1.0, 1e-6, 1e4)[step % 3]
            places = [place for place in range(4) if (step + place) % 4]
            losses = _losses(places, [value * scale for value in VALUES])
            module.at(step, 30, step)
            expect_finite(module(losses), f"the total of step {step + 1}, of losses around {scale:g}")
            module.backward(losses, None, gradients)
            if losses.values.grad is not None:
                expect_finite(losses.values.grad, f"the weights of the tasks in step {step + 1}")
            if optimizer is not None:
                optimizer.step()
                optimizer.zero_grad()
            module.stepped(lambda places=places, scale=scale: _losses(places, [scale] * 4))  # type: ignore[misc]
            if step % 5 == 4:
                module.epoch_done([None if place == step % 4 else scale for place in range(4)])
        zero = module(_losses(values=[0.0, 1.0, 1.0, 1.0]))
        expect_finite(zero, "the total with a loss of 0")


def _seed(spec: WeightingSpec, tolerance: float) -> None:
    with seeded(0):
        with left_alone(torch_too=False):
            first = _built(spec)(_losses())
        expect_close(_built(spec)(_losses()), first, 0, "the total of a second weighting with the same seed")
