"""Tests that the state of a weighting for a task does not change while the task has no label, like its head."""

from collections.abc import Mapping

import pytest
import torch
from batch_losses import batch_losses, influence

from mtl_core.builtins.weightings import FAMO, DynamicWeightAverage, GradNorm, Uncertainty
from mtl_core.specs import WeightingSpec
from mtl_core.testing.sample_run import SampleRun

SPECS: dict[str, WeightingSpec] = {
    "uncertainty": Uncertainty(),
    "gradnorm": GradNorm(lr=0.2),
    "famo": FAMO(lr=0.2),
    "famo, same batch": FAMO(lr=0.2, same_batch=True),
}


def memory(run: SampleRun) -> dict[int, dict[str, list[float]]]:
    """Return all state per task: the rows of the weighting's tensors, and the optimizer's state."""
    weighting = run.objective.weighting
    found: dict[int, dict[str, list[float]]] = {task: {} for task in range(4)}
    rows: dict[str, torch.Tensor] = dict(weighting.named_buffers())
    for name, parameter in weighting.named_parameters():
        task = int(name.rsplit(".", 1)[1])
        state: Mapping[str, torch.Tensor] = run.optimizer.state.get(parameter, {})
        found[task][name] = [parameter.item(), *(value.item() for value in state.values())]
    for name, row in rows.items():
        for task in range(4):
            found[task][name] = [row[task].item()]
    return found


@pytest.mark.parametrize("name", SPECS)
def test_what_is_remembered_of_an_idle_task_rests(name: str) -> None:
    run = SampleRun(SPECS[name])
    for _ in range(3):
        run.step()
    for active in ((0, 1, 3), (1, 2), (0,), (0, 1)):
        before = memory(run)
        run.step(active)
        run.step(active)
        after = memory(run)
        for task in range(4):
            if task not in active:
                assert after[task] == before[task], (task, active)
        if len(active) > 1 or name == "uncertainty":
            assert all(after[task] != before[task] for task in active)


def test_a_task_may_come_late() -> None:
    for spec in SPECS.values():
        run = SampleRun(spec)
        for active in ((0, 1), (0, 1), (0, 1, 2), (1, 2, 3), (0, 1, 2, 3)):
            losses = run.step(active)
            assert losses.values.grad is not None
            assert bool((losses.values.grad > 0).all())


def test_dwa_keeps_the_last_two_means_that_a_task_had() -> None:
    weighting = DynamicWeightAverage().build(["a", "b", "c"], [1.0] * 3)
    for means in ([1.0, 2.0, None], [0.5, 1.0, None], [0.4, None, 3.0], [0.3, None, None]):
        weighting.epoch_done(means)
    rates = torch.tensor([0.3 / 0.4, 1.0 / 2.0, 1.0])  # the third has one mean only
    expected = 3 * torch.softmax(rates / 2, dim=0)
    found = influence(weighting, batch_losses([1.0, 1.0, 1.0]))
    assert found == pytest.approx(expected.tolist())
