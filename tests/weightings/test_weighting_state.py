"""Tests that the state of a weighting for a task does not change while the task has no label, like its head."""

from collections.abc import Mapping

import pytest
import torch
from task_losses import build_task_losses, compute_loss_weights

from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.testing.sample_run import SampleRun

SPECS: dict[str, WeightingSpec] = {
    "uncertainty": Uncertainty(),
    "gradnorm": GradNorm(lr=0.2),
    "famo": FAMO(lr=0.2),
    "famo, same batch": FAMO(lr=0.2, same_batch=True),
}


def read_state_by_task(run: SampleRun) -> dict[int, dict[str, list[float]]]:
    """Return all state per task: the rows of the weighting's tensors, and the optimizer's state."""
    weighting = run.objective.weighting
    state_by_task: dict[int, dict[str, list[float]]] = {task: {} for task in range(4)}
    rows: dict[str, torch.Tensor] = dict(weighting.named_buffers())
    for name, parameter in weighting.named_parameters():
        task = int(name.rsplit(".", 1)[1])
        state: Mapping[str, torch.Tensor] = run.optimizer.state.get(parameter, {})
        state_by_task[task][name] = [parameter.item(), *(value.item() for value in state.values())]
    for name, row in rows.items():
        for task in range(4):
            state_by_task[task][name] = [row[task].item()]
    return state_by_task


@pytest.mark.parametrize("name", SPECS)
def test_state_of_an_inactive_task_is_unchanged(name: str) -> None:
    run = SampleRun(SPECS[name])
    for _ in range(3):
        run.run_step()
    for active in ((0, 1, 3), (1, 2), (0,), (0, 1)):
        initial_state = read_state_by_task(run)
        run.run_step(active)
        run.run_step(active)
        final_state = read_state_by_task(run)
        for task in range(4):
            if task not in active:
                assert final_state[task] == initial_state[task], (task, active)
        if len(active) > 1 or name == "uncertainty":
            assert all(final_state[task] != initial_state[task] for task in active)


def test_task_may_become_active_late() -> None:
    for spec in SPECS.values():
        run = SampleRun(spec)
        for active in ((0, 1), (0, 1), (0, 1, 2), (1, 2, 3), (0, 1, 2, 3)):
            losses = run.run_step(active)
            assert losses.values.grad is not None
            assert bool((losses.values.grad > 0).all())


def test_dwa_uses_the_last_two_means_of_each_task() -> None:
    weighting = DynamicWeightAverage().build(["a", "b", "c"], [1.0] * 3)
    for means in ([1.0, 2.0, None], [0.5, 1.0, None], [0.4, None, 3.0], [0.3, None, None]):
        weighting.on_epoch_end(means)
    loss_ratios = torch.tensor([0.3 / 0.4, 1.0 / 2.0, 1.0])  # the third has one mean only
    expected = 3 * torch.softmax(loss_ratios / 2, dim=0)
    weights = compute_loss_weights(weighting, build_task_losses([1.0, 1.0, 1.0]))
    assert weights == pytest.approx(expected.tolist())
