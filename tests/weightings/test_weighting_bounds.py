"""Task weights, sums, bounds and state of weightings, and their exemption from weight decay."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from task_losses import build_task_losses, compute_loss_weights
from toy import toy_config, toy_network

from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.geometric import Geometric
from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.label_count import LabelCount
from mtl_core.builtins.weightings.modules.scalar_adam import ScalarAdam
from mtl_core.builtins.weightings.modules.task_weights import MIN_LOSS
from mtl_core.builtins.weightings.random_weights import Random
from mtl_core.builtins.weightings.smooth_tchebycheff import SmoothTchebycheff
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.losses import TaskLosses
from mtl_core.training.optimizer import build_optimizer


def read_factors(run: SampleRun) -> torch.Tensor:
    factors: torch.Tensor = run.objective.weighting.state_dict()["factors"]
    return factors.clone()


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


def test_label_count_is_the_weighted_mean_over_labels() -> None:
    """Three labels with a loss of 2 and weight 1, one label with a loss of 0.5 and weight 4."""
    losses = TaskLosses(torch.tensor([2.0, 0.5], requires_grad=True), torch.tensor([0, 2]), torch.tensor([3, 0, 1]))
    weighting = LabelCount().build(["a", "b", "c"], [1.0, 9.0, 4.0])
    assert weighting(losses).item() == pytest.approx((3 * 2 * 1 + 0.5 * 4) / 4)
    assert compute_loss_weights(weighting, losses) == pytest.approx([3 / 4, 4 / 4])


def test_famo_multiplies_shares_by_declared_weights() -> None:
    weighting = FAMO().build(["a", "b"], [1.0, 3.0])
    assert compute_loss_weights(weighting, build_task_losses([1.0, 1.0])) == pytest.approx([0.25, 0.75])
    # Shares of 1/4 and 3/4, divided by the losses: 1/8 and 3/4, which are then scaled to a sum of 1.
    assert compute_loss_weights(weighting, build_task_losses([2.0, 1.0])) == pytest.approx([1 / 7, 6 / 7])


@pytest.mark.parametrize("same_batch", [False, True])
def test_famo_divides_decreases_by_declared_weights(same_batch: bool) -> None:
    """The loss of the second task, of weight 2, decreases 1.5 times as fast, which is too slow for its weight."""
    weighting = FAMO(lr=0.1, gamma=0, same_batch=same_batch).build(["a", "b"], [1.0, 2.0])
    gradients = SampleRun(WeightedSum()).gradients
    before, after = build_task_losses([1.0, 1.0]), build_task_losses([math.exp(-1.0), math.exp(-1.5)])
    weighting.backward(before, None, gradients)
    weighting.on_step_end(lambda: after)
    if not same_batch:
        weighting.backward(after, None, gradients)
    logits = weighting.state_dict()["logits"].tolist()
    assert logits == pytest.approx([-0.1, 0.1], abs=1e-4)  # the first step of Adam has the size of the learning rate


def test_gradnorm_without_rates_lowers_only_norms_above_the_mean() -> None:
    """With alpha = 0, the target of every task is the mean norm."""
    run = SampleRun(GradNorm(alpha=0.0, lr=0.1))
    losses = run.compute_losses()
    scaled_losses = losses.values * torch.tensor([1.0, 100.0, 0.01, 1.0])
    run.objective.weighting.backward(TaskLosses(scaled_losses, losses.tasks, losses.counts), None, run.gradients)
    expected = torch.tensor([1.1, 0.9, 1.1, 1.1])
    torch.testing.assert_close(read_factors(run), 4 * expected / expected.sum(), rtol=1e-4, atol=0)


def test_gradnorm_ignores_batches_of_one_task() -> None:
    run = SampleRun(GradNorm(lr=0.1))
    run.run_step()
    before = {name: value.clone() for name, value in run.objective.weighting.state_dict().items()}
    run.run_step((1,))
    for name, value in run.objective.weighting.state_dict().items():
        assert torch.equal(value, before[name]), name


ALL_SPECS = [
    DynamicWeightAverage(),
    FAMO(),
    Geometric(),
    GradNorm(),
    LabelCount(),
    Random(),
    SmoothTchebycheff(),
    Uncertainty(),
    WeightedSum(),
]


@pytest.mark.parametrize("spec", ALL_SPECS, ids=lambda spec: spec.type)
def test_additional_loss_has_a_weight_of_1(spec: WeightingSpec) -> None:
    """Auxiliary and regularization losses are added to the total as they are."""
    gradients = []
    for factor in (0.0, 3.0):
        run = SampleRun(spec)
        losses = run.compute_losses()
        extra_loss = factor * torch.cat([parameter.flatten() for parameter in run.gradients.shared]).sum()
        run.objective.weighting.backward(losses, extra_loss, run.gradients)
        gradients.append(torch.cat([p.grad.flatten() for p in run.gradients.shared if p.grad is not None]))
    torch.testing.assert_close(gradients[1] - gradients[0], torch.full_like(gradients[0], 3.0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spec", [Random(), SmoothTchebycheff(ideal={"a": 0.5}), WeightedSum()], ids=lambda s: s.type)
def test_settings_and_samples_are_not_saved_as_state(spec: WeightingSpec) -> None:
    """Otherwise, a checkpoint would replace the settings of the experiment."""
    assert spec.build(["a", "b"], [1.0, 2.0]).state_dict() == {}


def test_adam_adds_its_epsilon_to_the_denominator() -> None:
    """The first step is `lr * g / (|g| + 1e-8)`: half the learning rate for a gradient of 1e-8, nothing for 0."""
    scalars = torch.zeros(3)
    ScalarAdam(3, lr=0.1).step(scalars, torch.tensor([0, 1, 2]), torch.tensor([1e-8, 1.0, 0.0]))
    assert scalars.tolist() == pytest.approx([-0.05, -0.1, 0.0], rel=1e-3)
