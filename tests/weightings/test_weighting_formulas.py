"""Tests of each weighting against its formula, implemented a second time or computed by hand."""

import math
from itertools import pairwise

import pytest
import torch
from task_losses import build_task_losses, compute_loss_weights

from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.geometric import Geometric
from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.modules.scalar_adam import ScalarAdam
from mtl_core.builtins.weightings.random_weights import Random
from mtl_core.builtins.weightings.smooth_tchebycheff import SmoothTchebycheff
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.errors import MtlError
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_core.training.losses import TaskLosses

AB = ["a", "b"]


def is_close(values: object, expected: object) -> bool:
    return bool(values == pytest.approx(expected, rel=1e-5))


def test_uncertainty_divides_by_a_learned_variance() -> None:
    weighting = Uncertainty().build(AB, [1.0, 3.0])
    first, second = weighting.parameters()
    with torch.no_grad():
        first.fill_(math.log(4.0))
        second.fill_(-1.0)
    losses = build_task_losses([2.0, 0.5])
    total = weighting(losses)
    assert is_close(total.item(), 2.0 / 4 + math.log(4) + 3 * (math.e * 0.5 - 1))
    total.backward()
    assert losses.values.grad is not None
    assert is_close(losses.values.grad.tolist(), [0.25, 3 * math.e])
    assert first.grad is not None
    assert second.grad is not None
    assert is_close([first.grad.item(), second.grad.item()], [1 - 2.0 / 4, 3 * (1 - math.e * 0.5)])


def test_uncertainty_starts_as_the_weighted_sum() -> None:
    losses = build_task_losses([0.4, 1.7])
    assert compute_loss_weights(Uncertainty().build(AB, [1.0, 2.0]), losses) == compute_loss_weights(
        WeightedSum().build(AB, [1.0, 2.0]), losses
    )


def test_dwa_is_the_softmax_of_loss_ratios_of_the_last_epoch() -> None:
    weighting = DynamicWeightAverage().build(AB, [1.0, 3.0])
    losses = build_task_losses([1.0, 1.0])
    assert compute_loss_weights(weighting, losses) == [1.0, 3.0]
    weighting.on_epoch_end([1.0, 2.0])
    assert compute_loss_weights(weighting, losses) == [1.0, 3.0]
    weighting.on_epoch_end([0.5, 1.8])
    # exp(0.5 / 2) = 1.2840, exp(0.9 / 2) = 1.5683; the softmax times two
    assert compute_loss_weights(weighting, losses) == pytest.approx([0.90033, 3 * 1.09967], abs=1e-4)
    weighting.on_epoch_end([0.5, 0.9])
    assert compute_loss_weights(weighting, losses) == pytest.approx([1.12435, 3 * 0.87565], abs=1e-4)


def test_dwa_ignores_tasks_of_weight_0() -> None:
    weighting = DynamicWeightAverage().build(["a", "b", "c"], [1.0, 1.0, 0.0])
    weighting.on_epoch_end([1.0, 1.0, None])
    weighting.on_epoch_end([0.8, 0.8, None])
    assert compute_loss_weights(weighting, build_task_losses([1.0, 1.0], n_tasks=3)) == pytest.approx([1.0, 1.0])


def test_random_is_the_softmax_of_normal_samples_of_active_tasks() -> None:
    weighting = Random().build(["c", "a", "b"], [1.0, 1.0, 2.0])
    weighting.on_step_start(7, 100, 123)
    a, b, c = torch.randn(3, generator=torch.Generator().manual_seed(123)).exp().tolist()
    total = a + b + c
    assert is_close(
        compute_loss_weights(weighting, build_task_losses([1.0, 5.0, 2.0])),
        [3 * c / total, 3 * a / total, 6 * b / total],
    )
    assert is_close(
        compute_loss_weights(weighting, build_task_losses([1.0, 2.0], [1, 2])), [2 * a / (a + b), 4 * b / (a + b)]
    )


def test_geometric_is_the_geometric_mean() -> None:
    losses = build_task_losses([4.0, 9.0])
    assert is_close(Geometric().build(AB, [1.0, 1.0])(losses).item(), 6.0)
    assert is_close(compute_loss_weights(Geometric().build(AB, [1.0, 1.0]), losses), [6 / 4 / 2, 6 / 9 / 2])
    assert is_close(Geometric().build(AB, [2.0, 1.0])(losses).item(), (4.0 * 4.0 * 9.0) ** (1 / 3))
    assert is_close(Geometric().build(AB, [2.0, 1.0])(build_task_losses([9.0], [1])).item(), 9.0)


def test_geometric_accepts_a_loss_of_0() -> None:
    gradient = compute_loss_weights(Geometric().build(AB, [1.0, 1.0]), build_task_losses([0.0, 1.0]))
    assert is_close(gradient, [1e-4 / 1e-8 / 2, 1e-4 / 2])


@pytest.mark.parametrize("mu", [0.1, 1.0, 7.0])
def test_smooth_tchebycheff_is_a_logsumexp_above_the_ideal(mu: float) -> None:
    weighting = SmoothTchebycheff(mu=mu, ideal={"b": 0.4}).build(["a", "b", "c"], [1.0, 2.0, 0.5])
    distances = [0.7, 2 * (0.9 - 0.4), 0.5 * 1.1]
    exponentials = [math.exp(distance / mu) for distance in distances]
    losses = build_task_losses([0.7, 0.9, 1.1])
    assert is_close(weighting(losses).item(), mu * math.log(sum(exponentials)))
    assert is_close(
        compute_loss_weights(weighting, losses),
        [
            weight * exponential / sum(exponentials)
            for weight, exponential in zip([1.0, 2.0, 0.5], exponentials, strict=True)
        ],
    )


def test_ideal_of_an_unknown_task_is_rejected() -> None:
    with pytest.raises(MtlError, match="no main task 'fod'; did you mean 'food'"):
        SmoothTchebycheff(ideal={"fod": 0.1}).build(["food", "service"], [1.0, 1.0])


def test_row_adam_equals_one_adam_per_row() -> None:
    generator = torch.Generator().manual_seed(0)
    adam, rows = ScalarAdam(3, 0.1), torch.randn(3, generator=generator)
    parameters = [torch.nn.Parameter(row.clone()) for row in rows]
    optimizers = [torch.optim.Adam([parameter], lr=0.1) for parameter in parameters]
    for row_indices in ([0, 1, 2], [0, 2], [1], [2, 0], [0, 1, 2]):
        gradients = torch.randn(len(row_indices), generator=generator)
        adam.step(rows, torch.tensor(row_indices), gradients)
        for row_index, gradient in zip(row_indices, gradients, strict=True):
            parameters[row_index].grad = gradient
            optimizers[row_index].step()
        torch.testing.assert_close(rows, torch.stack(list(parameters)).detach())


def test_gradnorm_updates_factors_by_the_gradient_of_the_paper() -> None:
    alpha, scales = 1.5, torch.tensor([1.0, 5.0, 0.2, 1.0])
    run = SampleRun(GradNorm(alpha=alpha, lr=0.05))
    weighting = run.objective.weighting
    factors = torch.nn.Parameter(torch.ones(4))
    adam = torch.optim.Adam([factors], lr=0.05)
    [last] = [module for module in run.network.trunk.modules() if isinstance(module, torch.nn.Linear)][-1:]
    first = None
    for _ in range(12):
        run.optimizer.zero_grad()
        unscaled = run.compute_losses()
        losses = TaskLosses(unscaled.values * scales, unscaled.tasks, unscaled.counts)
        norms = torch.stack(
            [
                torch.cat(
                    [
                        gradient.flatten()
                        for gradient in torch.autograd.grad(loss, list(last.parameters()), retain_graph=True)
                    ]
                ).norm()
                for loss in losses.values
            ]
        )
        values = losses.values.detach()
        first = values if first is None else first
        relative_rates = values / first / (values / first).mean()
        weighting.backward(losses, None, run.gradients)
        run.optimizer.step()

        scaled_norms = factors * norms
        adam.zero_grad()
        (scaled_norms - (scaled_norms.mean() * relative_rates**alpha).detach()).abs().sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
        with torch.no_grad():
            factors.mul_(4 / factors.sum())
        torch.testing.assert_close(weighting.state_dict()["factors"], factors.detach(), rtol=1e-4, atol=1e-5)
    assert factors.detach().std() > 0.2


def test_gradnorm_applies_the_factors_before_the_update() -> None:
    run = SampleRun(GradNorm(lr=0.3))
    for _ in range(5):
        factors = run.objective.weighting.state_dict()["factors"].clone()
        losses = run.run_step()
        assert losses.values.grad is not None
        torch.testing.assert_close(losses.values.grad, factors)
    assert factors.std() > 0.2
    assert is_close(factors.sum().item(), len(TASKS))


@pytest.mark.parametrize("same_batch", [False, True])
def test_famo_equals_the_paper(same_batch: bool) -> None:
    """The losses follow a table; the losses after a step equal those at the start of the next step."""
    table = torch.tensor([[3.0, 1.0, 0.2], [2.5, 0.4, 0.2], [2.0, 0.3, 0.19], [1.0, 0.25, 0.1], [0.9, 0.2, 0.1]])
    weighting = FAMO(lr=0.1, gamma=0.05, same_batch=same_batch).build(["a", "b", "c"], [1.0] * 3)
    gradients = SampleRun(WeightedSum()).gradients
    logits = torch.nn.Parameter(torch.zeros(3))
    adam = torch.optim.Adam([logits], lr=0.1, weight_decay=0.05)
    for current, following in pairwise(table):
        losses = build_task_losses(current.tolist())
        weighting.backward(losses, None, gradients)
        weighting.on_step_end(lambda following=following: build_task_losses(following.tolist()))  # type: ignore[misc]
        probabilities = torch.softmax(logits, dim=0)
        expected = probabilities.detach() / current
        assert losses.values.grad is not None
        torch.testing.assert_close(losses.values.grad, expected / expected.sum())
        adam.zero_grad()
        probabilities.backward(current.log() - following.log())  # type: ignore[no-untyped-call]
        adam.step()
    assert logits.detach().std() > 0.1
