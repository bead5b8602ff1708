"""Task weights, sums and lower bounds of learned weightings, and their exemption from weight decay."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from task_losses import build_task_losses, compute_loss_weights
from toy import toy_config, toy_network

from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.modules.task_weights import MIN_LOSS
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.losses import TaskLosses
from mtl_core.training.optimizer import build_optimizer


def read_factors(run: SampleRun) -> torch.Tensor:
    return run.objective.weighting.state_dict()["factors"].clone()


def test_gradnorm_multiplies_losses_by_declared_weights() -> None:
    weighting = GradNorm().build(["a", "b", "c"], [1.0, 2.5, 0.5])
    losses = build_task_losses([0.3, 0.7, 2.0])
    assert compute_loss_weights(weighting, losses) == [1.0, 2.5, 0.5]
    weighting.load_state_dict({**weighting.state_dict(), "factors": torch.tensor([0.5, 2.0, 0.5])})
    assert compute_loss_weights(weighting, losses) == [0.5, 5.0, 0.25]
    assert weighting(losses).item() == pytest.approx(0.3 * 0.5 + 0.7 * 5 + 2 * 0.25)


def test_gradnorm_keeps_the_sum_of_the_factors_in_batches_of_some_tasks() -> None:
    run = SampleRun(GradNorm(lr=0.3))
    for _ in range(4):
        run.run_step()
    for active in ((0, 1), (2, 3), (0, 2, 3), (1, 3)):
        before = read_factors(run)
        run.run_step(active)
        after = read_factors(run)
        indices = list(active)
        assert not torch.allclose(before[indices], after[indices])
        assert abs(float(before[indices].sum()) - len(active)) > 0.01  # so the sum is not that of equal factors
        torch.testing.assert_close(after[indices].sum(), before[indices].sum())
        torch.testing.assert_close(after.sum(), torch.tensor(4.0))


def test_gradnorm_factors_stay_positive() -> None:
    """A learning rate larger than the factors would make some of them negative."""
    run = SampleRun(GradNorm(lr=5.0))
    weighting = run.objective.weighting
    for _ in range(3):
        losses = run.compute_losses()
        run.optimizer.zero_grad()
        scaled_losses = losses.values * torch.tensor([1.0, 100.0, 0.01, 1.0])
        weighting.backward(TaskLosses(scaled_losses, losses.tasks, losses.counts), None, run.gradients)
        factors = read_factors(run)
        assert bool((factors > 0).all()), factors
        assert float(factors.sum()) == pytest.approx(4, rel=1e-4)
    assert float(factors.min()) < 1e-3


def test_uncertainty_of_a_loss_of_0_has_a_lower_bound() -> None:
    """At a loss of 0, the log-variance converges to the logarithm of the smallest loss instead of minus infinity."""
    weighting = Uncertainty().build(["a"], [2.0])
    [log_variance] = weighting.parameters()
    gradients = []
    for value in (math.log(MIN_LOSS) + 1, math.log(MIN_LOSS), math.log(MIN_LOSS) - 1):
        with torch.no_grad():
            log_variance.fill_(value)
        total = weighting(build_task_losses([0.0]))
        assert total.item() == pytest.approx(2 * (math.exp(math.log(MIN_LOSS) - value) + value), rel=1e-5)
        gradients.append(float(torch.autograd.grad(total, [log_variance])[0]))
    assert gradients == pytest.approx([2 * (1 - math.exp(-1)), 0, 2 * (1 - math.e)], rel=1e-4, abs=1e-4)


def test_losses_below_the_bound_keep_their_gradient() -> None:
    assert compute_loss_weights(Uncertainty().build(["a", "b"], [1.0, 3.0]), build_task_losses([0.0, 1e-12])) == [1, 3]


@pytest.mark.parametrize(
    "optimizer",
    [
        {"type": "adamw", "lr": 0.1, "weight_decay": 0.5},
        {"type": "adam", "lr": 0.1, "weight_decay": 0.5},
        {"type": "sgd", "lr": 0.1, "weight_decay": 0.5},
    ],
    ids=lambda optimizer: optimizer["type"],
)
def test_weight_decay_does_not_apply_to_log_variances(tmp_path: Path, optimizer: dict[str, Any]) -> None:
    config = toy_config(tmp_path, weighting="uncertainty", optimizer=optimizer)
    _, network, objective = toy_network(config)
    torch_optimizer = build_optimizer(config, network, objective)
    log_variances = list(objective.weighting.parameters())
    with torch.no_grad():
        for parameter in (*log_variances, *network.parameters()):
            parameter.fill_(2.0)
            parameter.grad = torch.zeros_like(parameter)
    torch_optimizer.step()
    assert [parameter.item() for parameter in log_variances] == [2.0] * 3
    assert all(bool((parameter < 2.0).all()) for parameter in network.parameters())


def test_log_variances_have_the_learning_rate_of_the_optimizer(tmp_path: Path) -> None:
    config = toy_config(tmp_path, weighting="uncertainty", optimizer={"type": "sgd", "lr": 0.25})
    _, network, objective = toy_network(config)
    torch_optimizer = build_optimizer(config, network, objective)
    [first, *_] = objective.weighting.parameters()
    first.grad = torch.tensor(1.0)
    torch_optimizer.step()
    assert first.item() == -0.25
