"""Tests of the properties that the papers claim for each weighting, on small problems."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from batch_losses import batch_losses, influence

from mtl_core.builtins.weightings import (
    FAMO,
    DynamicWeightAverage,
    Geometric,
    GradNorm,
    Random,
    SmoothTchebycheff,
    Static,
    Uncertainty,
)
from mtl_core.specs import WeightingSpec
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting

Problem = Callable[[torch.Tensor], torch.Tensor]
"""Maps a point to the losses of the tasks at that point."""


def descend(
    problem: Problem, point: Sequence[float], weighting: Weighting, rate: float, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run gradient descent and return the losses at the first and the last point."""
    gradients = SampleRun(Static()).gradients
    place = torch.nn.Parameter(torch.tensor(point))
    optimizer = torch.optim.SGD([place], lr=rate)
    own = list(weighting.parameters())
    learned = torch.optim.Adam(own, lr=0.02) if own else None
    first = problem(place).detach()

    def losses() -> TaskLosses:
        values = problem(place)
        return TaskLosses(values, torch.arange(len(values)), torch.ones(len(values), dtype=torch.int64))

    for step in range(steps):
        optimizer.zero_grad()
        weighting.zero_grad()
        weighting.at(step, steps, step)
        weighting.backward(losses(), None, gradients)
        optimizer.step()
        if learned is not None:
            learned.step()
        weighting.stepped(losses)
    return first, problem(place).detach()


def built(spec: WeightingSpec, *weights: float) -> Weighting:
    return spec.build([f"t{place}" for place in range(len(weights))], list(weights))


# ── uncertainty ──


def test_log_variances_become_the_logarithms_of_the_losses() -> None:
    weighting = built(Uncertainty(), 1.0, 1.0, 4.0)
    descend(lambda place: torch.tensor([0.2, 5.0, 1.5]) + 0 * place.sum(), [0.0], weighting, 0.1, 400)
    found = [parameter.item() for parameter in weighting.parameters()]
    assert found == pytest.approx([math.log(0.2), math.log(5), math.log(1.5)], abs=0.02)


def test_a_noisy_task_counts_less_in_the_measure_of_its_noise() -> None:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(400, 3, generator=random)
    rule = torch.tensor([1.0, -2.0, 0.5])
    targets = (inputs @ rule).unsqueeze(1) + torch.randn(400, 2, generator=random) * torch.tensor([0.5, 2.0])
    weighting = built(Uncertainty(), 1.0, 1.0)
    descend(
        lambda place: (targets - (inputs @ place).unsqueeze(1)).square().mean(dim=0), [0.0] * 3, weighting, 0.1, 400
    )
    quiet, noisy = influence(weighting, batch_losses([1.0, 1.0]))
    assert quiet / noisy == pytest.approx(2.0**2 / 0.5**2, rel=0.2)


# ── dwa ──


def test_the_loss_that_falls_more_slowly_counts_more() -> None:
    cold, warm = (built(DynamicWeightAverage(temperature=at), 1.0, 1.0, 1.0) for at in (0.5, 2.0))
    for weighting in (cold, warm):
        weighting.epoch_done([1.0, 1.0, 1.0])
        weighting.epoch_done([0.2, 0.6, 1.1])
    for weighting in (cold, warm):
        found = influence(weighting, batch_losses([1.0, 1.0, 1.0]))
        assert found[0] < found[1] < found[2]
        assert sum(found) == pytest.approx(3)
    assert influence(cold, batch_losses([1.0] * 3))[2] > influence(warm, batch_losses([1.0] * 3))[2]


# ── random ──


def test_draws_are_alike_for_all_tasks_and_repeat_by_seed() -> None:
    weighting = built(Random(), 1.0, 1.0, 1.0)

    def drawn(seeds: range) -> torch.Tensor:
        rows = []
        for seed in seeds:
            weighting.at(0, 1, seed)
            rows.append(influence(weighting, batch_losses([1.0, 1.0, 1.0])))
        return torch.tensor(rows)

    first = drawn(range(1500))
    torch.testing.assert_close(first.sum(dim=1), torch.full((1500,), 3.0))
    assert first.mean(dim=0).tolist() == pytest.approx([1.0] * 3, abs=0.06)  # 4 standard errors
    assert bool((first.std(dim=0) > 0.4).all())
    assert torch.equal(drawn(range(20)), first[:20])
    assert not torch.equal(drawn(range(20, 40)), first[:20])


# ── geometric ──


@pytest.mark.parametrize("factor", [1e-3, 50.0])
def test_the_scale_of_a_loss_does_not_turn_the_direction(factor: float) -> None:
    def direction(spec: WeightingSpec, scale: float) -> torch.Tensor:
        run = SampleRun(spec)
        losses = run.losses()
        scaled = TaskLosses(losses.values * torch.tensor([1.0, scale, 1.0, 1.0]), losses.tasks, losses.counts)
        run.objective.weighting(scaled).backward()
        flat = torch.cat([p.grad.flatten() for p in run.network.parameters() if p.grad is not None])
        return flat / flat.norm()

    assert direction(Geometric(), factor) @ direction(Geometric(), 1.0) == pytest.approx(1.0, abs=1e-5)
    assert direction(Static(), factor) @ direction(Static(), 1.0) < 0.95


# ── gradnorm ──


def test_gradient_norms_come_closer_to_each_other() -> None:
    scales = torch.tensor([1.0, 6.0, 0.2, 1.0])

    def spread(alpha: float, steps: int) -> float:
        run = SampleRun(GradNorm(alpha=alpha, lr=0.05))
        weighting = run.objective.weighting
        for _ in range(steps):
            losses = run.losses()
            run.optimizer.zero_grad()
            weighting.backward(TaskLosses(losses.values * scales, losses.tasks, losses.counts), None, run.gradients)
        losses = run.losses()
        scaled = TaskLosses(losses.values * scales, losses.tasks, losses.counts)
        norms = run.gradients.of_each(scaled.values, run.gradients.last_shared).norm(dim=1)
        sizes = norms * torch.tensor(influence(weighting, batch_losses([1.0] * 4)))
        return float(sizes.max() / sizes.min())

    assert spread(0.0, 0) > 10
    assert spread(0.0, 100) < 1.2


def test_tasks_that_are_behind_get_larger_gradients() -> None:
    """With constant gradient norms, the task whose loss has not fallen has the larger weight."""
    run = SampleRun(GradNorm(alpha=1.0, lr=0.02))
    weighting = run.objective.weighting
    for step in range(60):
        losses = run.losses()
        run.optimizer.zero_grad()
        pace = torch.tensor([1.0, 1.0, 1.0, 0.98**step])
        held = losses.values / losses.values.detach()  # gradients of one size
        weighting.backward(TaskLosses(held - 1 + pace, losses.tasks, losses.counts), None, run.gradients)
    norms = run.gradients.of_each(run.losses().values, run.gradients.last_shared).norm(dim=1)
    values = run.losses().values.detach()
    sizes = torch.tensor(influence(weighting, batch_losses([1.0] * 4))) * norms / values
    assert bool((sizes[3] < sizes[:3] * 0.7).all())


# ── famo ──


def exponentials(place: torch.Tensor) -> torch.Tensor:
    """Compute two independent losses; the first is a thousand times as large and twice as steep."""
    return torch.stack([1000 * torch.exp(2 * place[0]), torch.exp(place[1])])


def relative_falls(spec: WeightingSpec, rate: float, *weights: float) -> tuple[float, float]:
    """Compute the decrease of the logarithm of each of the two losses in 800 steps."""
    first, last = descend(exponentials, [0.0, 0.0], built(spec, *weights), rate, 800)
    falls = (first / last).log()
    return float(falls[0]), float(falls[1])


@pytest.mark.parametrize("same_batch", [False, True])
def test_losses_fall_at_one_relative_pace_whatever_their_scale(same_batch: bool) -> None:
    large, small = relative_falls(Static(), 1e-5, 1.0, 1.0)
    assert small < 0.1 * large  # ignored
    held, adapted = (
        relative_falls(FAMO(lr=lr, gamma=0, same_batch=same_batch), 0.001, 1.0, 1.0) for lr in (1e-9, 0.05)
    )
    assert held[0] / held[1] == pytest.approx(4.0, rel=0.01)  # the square of the ratio of their slopes
    assert adapted[0] / adapted[1] == pytest.approx(1.0, abs=0.1)
    assert min(adapted) > 0.3


def test_a_task_of_weight_2_falls_twice_as_fast() -> None:
    large, small = relative_falls(FAMO(lr=0.05, gamma=0), 0.001, 1.0, 2.0)
    assert small / large == pytest.approx(2.0, abs=0.15)
    large, small = relative_falls(FAMO(lr=0.05, gamma=0), 0.001, 2.0, 1.0)
    assert large / small == pytest.approx(2.0, abs=0.15)


# ── smooth tchebycheff ──


def test_between_the_maximum_and_the_sum() -> None:
    values, weights = [0.5, 2.0, 1.6], [1.0, 0.5, 1.0]
    sharp, smooth = (SmoothTchebycheff(mu=mu).build(["a", "b", "c"], weights) for mu in (0.01, 1000.0))
    assert sharp(batch_losses(values)).item() == pytest.approx(1.6, abs=1e-3)
    assert influence(sharp, batch_losses(values)) == pytest.approx([0.0, 0.0, 1.0], abs=1e-6)
    found = torch.tensor(influence(smooth, batch_losses(values)))
    torch.testing.assert_close(found / found.sum(), torch.tensor(weights) / 2.5, rtol=2e-3, atol=0)


def fonseca(place: torch.Tensor) -> torch.Tensor:
    """Compute the two losses of Fonseca and Fleming (1995), whose Pareto front is concave."""
    corner = torch.full((2,), 2**-0.5)
    return torch.stack([1 - torch.exp(-(place - one).square().sum()) for one in (corner, -corner)])


@pytest.mark.parametrize("preference", [1.0, 1.5, 0.7])
def test_it_reaches_trade_offs_that_no_weighted_sum_reaches(preference: float) -> None:
    start = [0.35, -0.15]
    _, found = descend(fonseca, start, built(SmoothTchebycheff(mu=0.02), preference, 1.0), 0.1, 400)
    assert preference * found[0] == pytest.approx(float(found[1]), abs=0.05)
    assert found.min() > 0.3
    assert found.max() < 0.9
    for weight in (0.7, 1.0, 1.5):
        _, summed = descend(fonseca, start, built(Static(), weight, 1.0), 0.1, 400)
        assert summed.min() < 0.05  # an end point of the front
        assert summed.max() > 0.9
