"""Tests of the properties that the papers claim for each weighting, on small problems."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from task_losses import build_task_losses, compute_loss_weights

from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.geometric import Geometric
from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.random_weights import Random
from mtl_core.builtins.weightings.smooth_tchebycheff import SmoothTchebycheff
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting

Problem = Callable[[torch.Tensor], torch.Tensor]
"""Maps a point to the losses of the tasks at that point."""


def run_gradient_descent(
    problem: Problem, point: Sequence[float], weighting: Weighting, lr: float, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run gradient descent and return the losses at the first and the last point."""
    gradients = SampleRun(WeightedSum()).gradients
    parameter = torch.nn.Parameter(torch.tensor(point))
    optimizer = torch.optim.SGD([parameter], lr=lr)
    weighting_parameters = list(weighting.parameters())
    weighting_optimizer = torch.optim.Adam(weighting_parameters, lr=0.02) if weighting_parameters else None
    first = problem(parameter).detach()

    def losses() -> TaskLosses:
        values = problem(parameter)
        return TaskLosses(values, torch.arange(len(values)), torch.ones(len(values), dtype=torch.int64))

    for step in range(steps):
        optimizer.zero_grad()
        weighting.zero_grad()
        weighting.on_step_start(step, steps, step)
        weighting.backward(losses(), None, gradients)
        optimizer.step()
        if weighting_optimizer is not None:
            weighting_optimizer.step()
        weighting.on_step_end(losses)
    return first, problem(parameter).detach()


def build_weighting(spec: WeightingSpec, *weights: float) -> Weighting:
    return spec.build([f"t{index}" for index in range(len(weights))], list(weights))


# ── uncertainty ──


def test_log_variances_converge_to_log_losses() -> None:
    weighting = build_weighting(Uncertainty(), 1.0, 1.0, 4.0)
    run_gradient_descent(lambda point: torch.tensor([0.2, 5.0, 1.5]) + 0 * point.sum(), [0.0], weighting, 0.1, 400)
    log_variances = [parameter.item() for parameter in weighting.parameters()]
    assert log_variances == pytest.approx([math.log(0.2), math.log(5), math.log(1.5)], abs=0.02)


def test_uncertainty_weights_are_inverse_to_the_noise_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(400, 3, generator=generator)
    coefficients = torch.tensor([1.0, -2.0, 0.5])
    targets = (inputs @ coefficients).unsqueeze(1) + torch.randn(400, 2, generator=generator) * torch.tensor([0.5, 2.0])
    weighting = build_weighting(Uncertainty(), 1.0, 1.0)
    run_gradient_descent(
        lambda point: (targets - (inputs @ point).unsqueeze(1)).square().mean(dim=0), [0.0] * 3, weighting, 0.1, 400
    )
    clean_weight, noisy_weight = compute_loss_weights(weighting, build_task_losses([1.0, 1.0]))
    assert clean_weight / noisy_weight == pytest.approx(2.0**2 / 0.5**2, rel=0.2)


# ── dwa ──


def test_slower_loss_has_the_larger_weight() -> None:
    low_temperature, high_temperature = (
        build_weighting(DynamicWeightAverage(temperature=temperature), 1.0, 1.0, 1.0) for temperature in (0.5, 2.0)
    )
    for weighting in (low_temperature, high_temperature):
        weighting.on_epoch_end([1.0, 1.0, 1.0])
        weighting.on_epoch_end([0.2, 0.6, 1.1])
    for weighting in (low_temperature, high_temperature):
        weights = compute_loss_weights(weighting, build_task_losses([1.0, 1.0, 1.0]))
        assert weights[0] < weights[1] < weights[2]
        assert sum(weights) == pytest.approx(3)
    assert (
        compute_loss_weights(low_temperature, build_task_losses([1.0] * 3))[2]
        > compute_loss_weights(high_temperature, build_task_losses([1.0] * 3))[2]
    )


# ── random ──


def test_random_weights_have_equal_means_and_are_reproducible() -> None:
    weighting = build_weighting(Random(), 1.0, 1.0, 1.0)

    def sample_weights(seeds: range) -> torch.Tensor:
        rows = []
        for seed in seeds:
            weighting.on_step_start(0, 1, seed)
            rows.append(compute_loss_weights(weighting, build_task_losses([1.0, 1.0, 1.0])))
        return torch.tensor(rows)

    first = sample_weights(range(1500))
    torch.testing.assert_close(first.sum(dim=1), torch.full((1500,), 3.0))
    assert first.mean(dim=0).tolist() == pytest.approx([1.0] * 3, abs=0.06)  # 4 standard errors
    assert bool((first.std(dim=0) > 0.4).all())
    assert torch.equal(sample_weights(range(20)), first[:20])
    assert not torch.equal(sample_weights(range(20, 40)), first[:20])


# ── geometric ──


@pytest.mark.parametrize("factor", [1e-3, 50.0])
def test_geometric_direction_is_invariant_to_loss_scale(factor: float) -> None:
    def direction(spec: WeightingSpec, scale: float) -> torch.Tensor:
        run = SampleRun(spec)
        losses = run.compute_losses()
        scaled = TaskLosses(losses.values * torch.tensor([1.0, scale, 1.0, 1.0]), losses.tasks, losses.counts)
        run.objective.weighting(scaled).backward()
        flat = torch.cat([p.grad.flatten() for p in run.network.parameters() if p.grad is not None])
        unit_vector: torch.Tensor = flat / flat.norm()
        return unit_vector

    assert direction(Geometric(), factor) @ direction(Geometric(), 1.0) == pytest.approx(1.0, abs=1e-5)
    assert direction(WeightedSum(), factor) @ direction(WeightedSum(), 1.0) < 0.95


# ── gradnorm ──


def test_gradnorm_equalizes_gradient_norms() -> None:
    scales = torch.tensor([1.0, 6.0, 0.2, 1.0])

    def spread(alpha: float, steps: int) -> float:
        run = SampleRun(GradNorm(alpha=alpha, lr=0.05))
        weighting = run.objective.weighting
        for _ in range(steps):
            losses = run.compute_losses()
            run.optimizer.zero_grad()
            weighting.backward(TaskLosses(losses.values * scales, losses.tasks, losses.counts), None, run.gradients)
        losses = run.compute_losses()
        scaled = TaskLosses(losses.values * scales, losses.tasks, losses.counts)
        norms = run.gradients.jacobian(scaled.values, run.gradients.last_shared_layer).norm(dim=1)
        sizes = norms * torch.tensor(compute_loss_weights(weighting, build_task_losses([1.0] * 4)))
        return float(sizes.max() / sizes.min())

    assert spread(0.0, 0) > 10
    assert spread(0.0, 100) < 1.2


def test_slower_tasks_get_larger_gradients() -> None:
    """With constant gradient norms, the task whose loss has not fallen has the larger weight."""
    run = SampleRun(GradNorm(alpha=1.0, lr=0.02))
    weighting = run.objective.weighting
    for step in range(60):
        losses = run.compute_losses()
        run.optimizer.zero_grad()
        loss_ratios = torch.tensor([1.0, 1.0, 1.0, 0.98**step])
        normalized = losses.values / losses.values.detach()  # gradients of one size
        weighting.backward(TaskLosses(normalized - 1 + loss_ratios, losses.tasks, losses.counts), None, run.gradients)
    norms = run.gradients.jacobian(run.compute_losses().values, run.gradients.last_shared_layer).norm(dim=1)
    values = run.compute_losses().values.detach()
    sizes = torch.tensor(compute_loss_weights(weighting, build_task_losses([1.0] * 4))) * norms / values
    assert bool((sizes[3] < sizes[:3] * 0.7).all())


# ── famo ──


def compute_exponentials(point: torch.Tensor) -> torch.Tensor:
    """Compute two independent losses; the first is a thousand times as large and twice as steep."""
    return torch.stack([1000 * torch.exp(2 * point[0]), torch.exp(point[1])])


def compute_relative_decreases(spec: WeightingSpec, lr: float, *weights: float) -> tuple[float, float]:
    """Compute the decrease of the logarithm of each of the two losses in 800 steps."""
    first, last = run_gradient_descent(compute_exponentials, [0.0, 0.0], build_weighting(spec, *weights), lr, 800)
    decreases = (first / last).log()
    return float(decreases[0]), float(decreases[1])


@pytest.mark.parametrize("same_batch", [False, True])
def test_famo_decreases_losses_at_equal_relative_rates(same_batch: bool) -> None:
    large, small = compute_relative_decreases(WeightedSum(), 1e-5, 1.0, 1.0)
    assert small < 0.1 * large  # ignored
    constant, adapted = (
        compute_relative_decreases(FAMO(lr=lr, gamma=0, same_batch=same_batch), 0.001, 1.0, 1.0) for lr in (1e-9, 0.05)
    )
    assert constant[0] / constant[1] == pytest.approx(4.0, rel=0.01)  # the square of the ratio of their slopes
    assert adapted[0] / adapted[1] == pytest.approx(1.0, abs=0.1)
    assert min(adapted) > 0.3


def test_famo_weight_2_doubles_the_relative_rate() -> None:
    large, small = compute_relative_decreases(FAMO(lr=0.05, gamma=0), 0.001, 1.0, 2.0)
    assert small / large == pytest.approx(2.0, abs=0.15)
    large, small = compute_relative_decreases(FAMO(lr=0.05, gamma=0), 0.001, 2.0, 1.0)
    assert large / small == pytest.approx(2.0, abs=0.15)


# ── smooth tchebycheff ──


def test_smooth_tchebycheff_is_between_maximum_and_sum() -> None:
    values, weights = [0.5, 2.0, 1.6], [1.0, 0.5, 1.0]
    sharp, smooth = (SmoothTchebycheff(mu=mu).build(["a", "b", "c"], weights) for mu in (0.01, 1000.0))
    assert sharp(build_task_losses(values)).item() == pytest.approx(1.6, abs=1e-3)
    assert compute_loss_weights(sharp, build_task_losses(values)) == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)
    effective_weights = torch.tensor(compute_loss_weights(smooth, build_task_losses(values)))
    torch.testing.assert_close(
        effective_weights / effective_weights.sum(), torch.tensor(weights) / 2.5, rtol=2e-3, atol=0
    )


def compute_fonseca_losses(point: torch.Tensor) -> torch.Tensor:
    """Compute the two losses of Fonseca and Fleming (1995), whose Pareto front is concave."""
    corner = torch.full((2,), 2**-0.5)
    return torch.stack([1 - torch.exp(-(point - center).square().sum()) for center in (corner, -corner)])


@pytest.mark.parametrize("preference", [1.0, 1.5, 0.7])
def test_smooth_tchebycheff_reaches_concave_pareto_points(preference: float) -> None:
    start = [0.35, -0.15]
    _, losses = run_gradient_descent(
        compute_fonseca_losses, start, build_weighting(SmoothTchebycheff(mu=0.02), preference, 1.0), 0.1, 400
    )
    assert preference * losses[0] == pytest.approx(float(losses[1]), abs=0.05)
    assert losses.min() > 0.3
    assert losses.max() < 0.9
    for weight in (0.7, 1.0, 1.5):
        _, sum_losses = run_gradient_descent(
            compute_fonseca_losses, start, build_weighting(WeightedSum(), weight, 1.0), 0.1, 400
        )
        assert sum_losses.min() < 0.05  # an end point of the front
        assert sum_losses.max() > 0.9
