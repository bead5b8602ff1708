"""Tests of each weighting against its formula, implemented a second time or computed by hand."""

import math
from itertools import pairwise

import pytest
import torch
from batch_losses import batch_losses, influence

from mtl_core.builtins.weighting_modules.common import RowAdam
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
from mtl_core.errors import MtlError
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_core.training.losses import TaskLosses

AB = ["a", "b"]


def close(found: object, expected: object) -> bool:
    return bool(found == pytest.approx(expected, rel=1e-5))


def test_uncertainty_divides_by_a_learned_variance() -> None:
    weighting = Uncertainty().build(AB, [1.0, 3.0])
    first, second = weighting.parameters()
    with torch.no_grad():
        first.fill_(math.log(4.0))
        second.fill_(-1.0)
    losses = batch_losses([2.0, 0.5])
    total = weighting(losses)
    assert close(total.item(), 2.0 / 4 + math.log(4) + 3 * (math.e * 0.5 - 1))
    total.backward()
    assert losses.values.grad is not None
    assert close(losses.values.grad.tolist(), [0.25, 3 * math.e])
    assert first.grad is not None
    assert second.grad is not None
    assert close([first.grad.item(), second.grad.item()], [1 - 2.0 / 4, 3 * (1 - math.e * 0.5)])


def test_uncertainty_begins_as_static_does() -> None:
    losses = batch_losses([0.4, 1.7])
    assert influence(Uncertainty().build(AB, [1.0, 2.0]), losses) == influence(
        Static().build(AB, [1.0, 2.0]), losses
    )


def test_dwa_takes_the_softmax_of_how_losses_fell_in_the_last_epoch() -> None:
    weighting = DynamicWeightAverage().build(AB, [1.0, 3.0])
    losses = batch_losses([1.0, 1.0])
    assert influence(weighting, losses) == [1.0, 3.0]
    weighting.epoch_done([1.0, 2.0])
    assert influence(weighting, losses) == [1.0, 3.0]
    weighting.epoch_done([0.5, 1.8])
    # exp(0.5 / 2) = 1.2840, exp(0.9 / 2) = 1.5683; the softmax times two
    assert influence(weighting, losses) == pytest.approx([0.90033, 3 * 1.09967], abs=1e-4)
    weighting.epoch_done([0.5, 0.9])
    assert influence(weighting, losses) == pytest.approx([1.12435, 3 * 0.87565], abs=1e-4)


def test_dwa_gives_no_share_to_a_task_of_weight_0() -> None:
    weighting = DynamicWeightAverage().build(["a", "b", "c"], [1.0, 1.0, 0.0])
    weighting.epoch_done([1.0, 1.0, None])
    weighting.epoch_done([0.8, 0.8, None])
    assert influence(weighting, batch_losses([1.0, 1.0], known=3)) == pytest.approx([1.0, 1.0])


def test_random_takes_the_softmax_of_normal_draws_of_the_tasks_that_are_there() -> None:
    weighting = Random().build(["c", "a", "b"], [1.0, 1.0, 2.0])
    weighting.at(7, 100, 123)
    a, b, c = torch.randn(3, generator=torch.Generator().manual_seed(123)).exp().tolist()
    whole = a + b + c
    assert close(influence(weighting, batch_losses([1.0, 5.0, 2.0])), [3 * c / whole, 3 * a / whole, 6 * b / whole])
    assert close(influence(weighting, batch_losses([1.0, 2.0], [1, 2])), [2 * a / (a + b), 4 * b / (a + b)])


def test_geometric_is_the_geometric_mean() -> None:
    losses = batch_losses([4.0, 9.0])
    assert close(Geometric().build(AB, [1.0, 1.0])(losses).item(), 6.0)
    assert close(influence(Geometric().build(AB, [1.0, 1.0]), losses), [6 / 4 / 2, 6 / 9 / 2])
    assert close(Geometric().build(AB, [2.0, 1.0])(losses).item(), (4.0 * 4.0 * 9.0) ** (1 / 3))
    assert close(Geometric().build(AB, [2.0, 1.0])(batch_losses([9.0], [1])).item(), 9.0)


def test_geometric_can_take_a_loss_of_0() -> None:
    slopes = influence(Geometric().build(AB, [1.0, 1.0]), batch_losses([0.0, 1.0]))
    assert close(slopes, [1e-4 / 1e-8 / 2, 1e-4 / 2])


@pytest.mark.parametrize("mu", [0.1, 1.0, 7.0])
def test_smooth_tchebycheff_is_a_logarithm_of_exponentials_above_the_ideal(mu: float) -> None:
    weighting = SmoothTchebycheff(mu=mu, ideal={"b": 0.4}).build(["a", "b", "c"], [1.0, 2.0, 0.5])
    above = [0.7, 2 * (0.9 - 0.4), 0.5 * 1.1]
    parts = [math.exp(one / mu) for one in above]
    losses = batch_losses([0.7, 0.9, 1.1])
    assert close(weighting(losses).item(), mu * math.log(sum(parts)))
    assert close(
        influence(weighting, losses),
        [weight * part / sum(parts) for weight, part in zip([1.0, 2.0, 0.5], parts, strict=True)],
    )


def test_an_ideal_is_that_of_a_task() -> None:
    with pytest.raises(MtlError, match="no main task 'fod'; did you mean 'food'"):
        SmoothTchebycheff(ideal={"fod": 0.1}).build(["food", "service"], [1.0, 1.0])


def test_numbers_that_move_now_and_then_move_as_adam_would_move_each_alone() -> None:
    random = torch.Generator().manual_seed(0)
    adam, numbers = RowAdam(3, 0.1), torch.randn(3, generator=random)
    alone = [torch.nn.Parameter(number.clone()) for number in numbers]
    optimizers = [torch.optim.Adam([one], lr=0.1) for one in alone]
    for places in ([0, 1, 2], [0, 2], [1], [2, 0], [0, 1, 2]):
        slopes = torch.randn(len(places), generator=random)
        adam.step(numbers, torch.tensor(places), slopes)
        for place, slope in zip(places, slopes, strict=True):
            alone[place].grad = slope
            optimizers[place].step()
        torch.testing.assert_close(numbers, torch.stack(list(alone)).detach())


def test_gradnorm_moves_its_factors_by_the_gradient_of_the_papers_loss() -> None:
    alpha, scales = 1.5, torch.tensor([1.0, 5.0, 0.2, 1.0])
    run = SampleRun(GradNorm(alpha=alpha, lr=0.05))
    weighting = run.objective.weighting
    factors = torch.nn.Parameter(torch.ones(4))
    adam = torch.optim.Adam([factors], lr=0.05)
    [last] = [module for module in run.network.body.modules() if isinstance(module, torch.nn.Linear)][-1:]
    first = None
    for _ in range(12):
        run.optimizer.zero_grad()
        plain = run.losses()
        losses = TaskLosses(plain.values * scales, plain.tasks, plain.counts)
        norms = torch.stack(
            [
                torch.cat(
                    [
                        part.flatten()
                        for part in torch.autograd.grad(one, list(last.parameters()), retain_graph=True)
                    ]
                ).norm()
                for one in losses.values
            ]
        )
        values = losses.values.detach()
        first = values if first is None else first
        pace = values / first / (values / first).mean()
        weighting.backward(losses, None, run.gradients)
        run.optimizer.step()

        sizes = factors * norms
        adam.zero_grad()
        (sizes - (sizes.mean() * pace**alpha).detach()).abs().sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
        with torch.no_grad():
            factors.mul_(4 / factors.sum())
        torch.testing.assert_close(weighting.state_dict()["factors"], factors.detach(), rtol=1e-4, atol=1e-5)
    assert factors.detach().std() > 0.2


def test_gradnorm_takes_each_step_with_the_factors_that_it_had() -> None:
    run = SampleRun(GradNorm(lr=0.3))
    for _ in range(5):
        factors = run.objective.weighting.state_dict()["factors"].clone()
        losses = run.step()
        assert losses.values.grad is not None
        torch.testing.assert_close(losses.values.grad, factors)
    assert factors.std() > 0.2
    assert close(factors.sum().item(), len(TASKS))


@pytest.mark.parametrize("same_batch", [False, True])
def test_famo_is_what_the_paper_says(same_batch: bool) -> None:
    """The losses follow a table; the losses after a step equal those at the start of the next step."""
    table = torch.tensor([[3.0, 1.0, 0.2], [2.5, 0.4, 0.2], [2.0, 0.3, 0.19], [1.0, 0.25, 0.1], [0.9, 0.2, 0.1]])
    weighting = FAMO(lr=0.1, gamma=0.05, same_batch=same_batch).build(["a", "b", "c"], [1.0] * 3)
    gradients = SampleRun(Static()).gradients
    logits = torch.nn.Parameter(torch.zeros(3))
    adam = torch.optim.Adam([logits], lr=0.1, weight_decay=0.05)
    for now, then in pairwise(table):
        losses = batch_losses(now.tolist())
        weighting.backward(losses, None, gradients)
        weighting.stepped(lambda then=then: batch_losses(then.tolist()))  # type: ignore[misc]
        shares = torch.softmax(logits, dim=0)
        slopes = shares.detach() / now
        assert losses.values.grad is not None
        torch.testing.assert_close(losses.values.grad, slopes / slopes.sum())
        adam.zero_grad()
        shares.backward(now.log() - then.log())  # type: ignore[no-untyped-call]
        adam.step()
    assert logits.detach().std() > 0.1
