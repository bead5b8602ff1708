"""The objective with auxiliary tasks: they are added to the weighted main losses, and do not reach the weighting."""

from pathlib import Path

import pytest
import torch
from sentences import build_block, load_config

from mtl_core.data.prepare import prepare
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective


def build_objective(folder: Path, weighting: str = "sum") -> Objective:
    """Return the objective of one main task, a task with a falling weight and one with a constant weight."""
    auxiliary = [
        build_block("bag-of-words", weight=0.5, schedule={"type": "linear"}),
        build_block("sentence-length", weight=2.0),
    ]
    config = load_config(folder, auxiliary, weighting=weighting)
    return Objective(prepare(config).groups, config.weighting)


def build_losses(values: list[float], tasks: list[int]) -> TaskLosses:
    counts = torch.zeros(3, dtype=torch.int64)
    counts[tasks] = 1
    return TaskLosses(torch.tensor(values, requires_grad=True), torch.tensor(tasks), counts)


def compute_total(objective: Objective, values: list[float], tasks: list[int]) -> float:
    return float(objective.compute_total(build_losses(values, tasks)).detach())


def test_total_adds_auxiliary_losses_with_their_scheduled_weights(tmp_path: Path) -> None:
    objective = build_objective(tmp_path)
    for step, factor in ((0, 1.0), (50, 0.5), (100, 0.0)):
        objective.on_step_start(step, 100)
        assert compute_total(objective, [3.0, 5.0, 7.0], [0, 1, 2]) == pytest.approx(3 + 0.5 * factor * 5 + 2 * 7)
        assert compute_total(objective, [5.0, 7.0], [1, 2]) == pytest.approx(0.5 * factor * 5 + 2 * 7)
        assert compute_total(objective, [7.0], [2]) == 14


def test_geometric_mean_does_not_include_auxiliary_losses(tmp_path: Path) -> None:
    assert compute_total(build_objective(tmp_path, "geometric"), [3.0, 7.0], [0, 2]) == pytest.approx(3 + 2 * 7)


def test_disabling_tasks_resets_the_weights_to_the_first_step(tmp_path: Path) -> None:
    objective = build_objective(tmp_path)
    objective.on_step_start(100, 100)
    assert objective.active_groups == [True, False, True]
    objective.disable_tasks([False, False, True])
    assert objective.active_groups == [True, True, False]
    assert compute_total(objective, [3.0, 5.0, 7.0], [0, 1, 2]) == pytest.approx(3 + 0.5 * 5)


def test_weighting_receives_the_losses_of_main_tasks_only(tmp_path: Path) -> None:
    objective = build_objective(tmp_path, "dwa")
    for means in ([1.0, 5.0, 7.0], [0.5, 1.0, 9.0]):
        objective.on_epoch_end(means)
    state = objective.weighting.state_dict()
    assert (state["before"].tolist(), state["last"].tolist(), state["factors"].tolist()) == ([1.0], [0.5], [1.0])
    losses = []
    objective.on_step_end(lambda: losses.append(1) or build_losses([3.0, 7.0], [0, 2]))  # type: ignore[func-returns-value]
    assert losses == []  # DWA does not need them


class RecordedTotals:
    """Records the total losses whose gradients are computed."""

    def __init__(self) -> None:
        self.totals: list[float] = []

    def backward(self, total: torch.Tensor, retain_graph: bool = False) -> None:
        self.totals.append(float(total.detach()))


def test_backward_of_main_auxiliary_and_regularization_losses(tmp_path: Path) -> None:
    objective = build_objective(tmp_path)
    regularization_loss = torch.tensor(11.0)
    recorded = RecordedTotals()
    cases: list[tuple[list[float], list[int], torch.Tensor | None]] = [
        ([3.0, 5.0, 7.0], [0, 1, 2], None),
        ([3.0, 5.0, 7.0], [0, 1, 2], regularization_loss),
        ([7.0], [2], None),
        ([7.0], [2], regularization_loss),
        ([3.0], [0], regularization_loss),
        ([3.0], [0], None),
    ]
    for values, tasks, regularization in cases:
        objective.backward(build_losses(values, tasks), regularization, recorded)  # type: ignore[arg-type]
    assert recorded.totals == pytest.approx([19.5, 30.5, 14.0, 25.0, 14.0, 3.0])


def test_weighting_recomputes_the_losses_of_main_tasks_only(tmp_path: Path) -> None:
    objective = build_objective(tmp_path)
    received = []
    objective.weighting.on_step_end = lambda recompute_losses: received.append(recompute_losses())  # type: ignore[method-assign]
    objective.on_step_end(lambda: build_losses([3.0, 5.0, 7.0], [0, 1, 2]))
    [losses] = received
    assert (losses.values.tolist(), losses.tasks.tolist(), losses.counts.tolist()) == ([3.0], [0], [1])
