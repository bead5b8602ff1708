"""Measured interactions of tasks whose relation is known, and the formulas recomputed in the test."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from related import entry, found_in, measure, related_config

from mtl_core.config.experiment import Interactions
from mtl_core.runs.prepare import build_network, prepare
from mtl_core.runs.run import run_experiment
from mtl_core.training.gradients import StepGradients
from mtl_core.training.interactions import InteractionObserver
from mtl_core.training.losses import TaskLosses
from mtl_core.training.order import training_order

STEPS = 3 * 9
"""Three epochs of nine batches."""


def test_equal_tasks_pull_the_same_way_and_opposite_ones_against_each_other(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", "up-too", "down")
    assert found["tasks"] == ["up", "up-too", "down"]
    assert found["observed"] == STEPS
    assert all(count == STEPS for row in found["steps"] for count in row)
    assert entry(found, "cosine", "up", "up-too") == pytest.approx(1)
    assert entry(found, "conflicts", "up", "up-too") == 0
    assert entry(found, "cosine", "up", "down") < -0.8
    assert entry(found, "conflicts", "up", "down") == 1
    assert entry(found, "affinity", "up", "up-too") == entry(found, "affinity", "up", "up") > 0
    assert entry(found, "affinity", "up", "down") < 0
    assert [epoch["epoch"] for epoch in found["over_time"]] == [1, 2, 3]
    over_time = [epoch["cosine"][0][2] for epoch in found["over_time"]]
    assert np.mean(over_time) == pytest.approx(entry(found, "cosine", "up", "down"), abs=1e-5)
    assert len(set(over_time)) == 3


def test_figures_are_those_of_the_formulas(tmp_path: Path) -> None:
    """Compare the first step with the formulas for a linear layer without bias and mean squared errors."""
    rate = 0.05
    config = related_config(
        tmp_path,
        *("up", "aside"),
        auxiliary=[{"type": "inverse", "name": "foe", "label": "down", "kind": "regression", "head": "read-out"}],
        optimizer={"type": "sgd", "lr": rate},
        interactions={"every": 10_000, "affinity": True},
    )
    run_experiment(config, tmp_path / "run")
    found = found_in(tmp_path / "run")
    assert found["observed"] == 1

    prepared = prepare(config)
    order = training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    batch = prepared.examples.batch(order.epoch(0)[0], torch.device("cpu"))
    inputs = batch.inputs.double().numpy()
    targets = np.concatenate([table.double().reshape(len(inputs), -1).numpy() for table in batch.targets], axis=1)
    network = build_network(config, prepared.encoder, prepared.groups)
    weights = next(network.parameters()).detach().double().numpy()[0]

    def losses(at: np.ndarray) -> np.ndarray:
        errors: np.ndarray = ((inputs @ at)[:, None] - targets) ** 2
        return errors.mean(axis=0)

    gradients = [2 * inputs.T @ (inputs @ weights - targets[:, task]) / len(inputs) for task in range(3)]
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    cosine = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in gradients] for a in gradients]
    affinity = [1 - losses(weights - rate * gradient) / losses(weights) for gradient in gradients]
    np.testing.assert_allclose(found["norms"], norms, rtol=1e-4)
    np.testing.assert_allclose(found["cosine"], cosine, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found["affinity"], np.array(affinity), rtol=1e-3, atol=1e-6)
    assert found["conflicts"] == (np.array(cosine) < 0).astype(float).tolist()
    assert found["cosine_error"][0][1] is None  # one step has no spread
    foe, both = found["auxiliary"]["foe"], gradients[0] + gradients[1]
    assert foe["cosine"] == pytest.approx(gradients[2] @ both / norms[2] / np.linalg.norm(both), rel=1e-3)
    assert foe["affinity"] == pytest.approx(affinity[2][:2].mean(), rel=1e-3)


def test_standard_errors_are_those_of_the_steps(tmp_path: Path) -> None:
    """Each epoch has one batch, so the mean of an epoch is the value of one step."""
    training = {"epochs": 6, "batch_size": 100}
    found = measure(tmp_path, "up", "aside", training=training, split={"type": "random", "validation": 0.9})
    steps = [epoch["cosine"][0][1] for epoch in found["over_time"]]
    assert len(set(steps)) == 6
    assert entry(found, "cosine", "up", "aside") == pytest.approx(np.mean(steps), rel=1e-4)
    assert entry(found, "cosine_error", "up", "aside") == pytest.approx(np.std(steps, ddof=1) / 6**0.5, rel=1e-3)


def test_tasks_that_never_meet_have_no_figures(tmp_path: Path) -> None:
    alone = measure(tmp_path, "early", "late", training={"epochs": 2, "batch_size": 1})
    assert entry(alone, "steps", "early", "late") == 0
    for figure in ("cosine", "conflicts", "affinity", "cosine_error", "affinity_error"):
        assert entry(alone, figure, "early", "late") is None
    assert "no conclusion" in alone["suggestions"][0]
    assert all(norm > 0 for norm in alone["norms"])
    assert 0 < entry(alone, "steps", "early", "early") < alone["observed"]
    together = measure(tmp_path, "early", "late", name="together")  # batches of eight
    assert entry(together, "steps", "early", "late") > STEPS / 2
    assert entry(together, "affinity", "early", "late") is not None


def test_a_task_of_weight_zero_is_not_seen(tmp_path: Path) -> None:
    tasks = [
        {"name": name, "kind": "regression", "head": "read-out", "weight": weight}
        for name, weight in (("up", 1.0), ("aside", 1.0), ("down", 0.0))
    ]
    found = measure(tmp_path, tasks=tasks)
    assert found["norms"][2] is None
    assert found["steps"][2] == [0, 0, 0]
    assert found["cosine"][0][1] is not None


def test_a_task_whose_gradient_does_not_reach_what_is_shared_is_not_compared(tmp_path: Path) -> None:
    config = related_config(tmp_path, "up", "aside", "down")
    prepared = prepare(config)
    network = build_network(config, prepared.encoder, prepared.groups)
    gradients = StepGradients(Accelerator(), network, [3])
    weights = gradients.shared[0]
    values = torch.stack([(weights**2).sum(), weights.sum() * 0 + 1, weights.sum()])
    observer = InteractionObserver(["a", "b", "c"], 3, Interactions(affinity=True), 1)
    observer.at(0, 0.1)
    losses = TaskLosses(values, torch.arange(3), torch.ones(3, dtype=torch.int64))
    observer.before_step(losses, gradients, lambda: losses)
    counts = observer.cosine.whole().count
    assert counts.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    assert observer.norms.mean()[1] == 0


@pytest.mark.parametrize("refit", [False, True])
def test_only_the_selection_is_watched(tmp_path: Path, refit: bool) -> None:
    training = {"epochs": 3, "batch_size": 8, "refit": refit}
    assert measure(tmp_path, "up", "down", training=training)["observed"] == STEPS


def test_every_so_many_steps(tmp_path: Path) -> None:
    found = measure(tmp_path, "up", "down", interactions={"every": 10})
    assert found["observed"] == 3  # steps 1, 11 and 21 of 27
    assert found["affinity"] is None
    assert found["affinity_error"] is None
    assert [epoch["epoch"] for epoch in found["over_time"]] == [1, 2, 3]
    seldom = measure(tmp_path, "up", "down", name="seldom", interactions={"every": 20})
    assert [epoch["epoch"] for epoch in seldom["over_time"]] == [1, 3]


def test_a_run_that_does_not_measure_has_no_file_and_pays_nothing(tmp_path: Path) -> None:
    run_experiment(related_config(tmp_path, "up", "down", interactions=None), tmp_path / "run")
    assert not (tmp_path / "run" / "interactions.json").exists()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]["interactions_s"] == 0
