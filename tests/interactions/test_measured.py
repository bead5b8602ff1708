"""Measured interactions of tasks whose relation is known, and the formulas recomputed in the test."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from related import get_matrix_entry, load_interactions, load_related_config, train_and_load_interactions

from mtl_core.config.training import InteractionConfig
from mtl_core.data.prepare import prepare
from mtl_core.runs.build_network import build_network
from mtl_core.runs.run import run_experiment
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.gradients import StepGradients
from mtl_core.training.interaction_observer import InteractionObserver
from mtl_core.training.losses import TaskLosses

STEPS = 3 * 9
"""Three epochs of nine batches."""


def test_equal_tasks_align_and_opposite_tasks_conflict(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(tmp_path, "up", "up-too", "down")
    assert interactions["tasks"] == ["up", "up-too", "down"]
    assert interactions["observed_steps"] == STEPS
    assert all(count == STEPS for row in interactions["steps"] for count in row)
    assert get_matrix_entry(interactions, "cosine", "up", "up-too") == pytest.approx(1)
    assert get_matrix_entry(interactions, "conflicts", "up", "up-too") == 0
    assert get_matrix_entry(interactions, "cosine", "up", "down") < -0.8
    assert get_matrix_entry(interactions, "conflicts", "up", "down") == 1
    assert (
        get_matrix_entry(interactions, "affinity", "up", "up-too")
        == get_matrix_entry(interactions, "affinity", "up", "up")
        > 0
    )
    assert get_matrix_entry(interactions, "affinity", "up", "down") < 0
    assert [epoch["epoch"] for epoch in interactions["by_epoch"]] == [1, 2, 3]
    over_time = [epoch["cosine"][0][2] for epoch in interactions["by_epoch"]]
    assert np.mean(over_time) == pytest.approx(get_matrix_entry(interactions, "cosine", "up", "down"), abs=1e-5)
    assert len(set(over_time)) == 3


def test_interactions_match_the_formulas(tmp_path: Path) -> None:
    """Compare the first step with the formulas for a linear layer without bias and mean squared errors."""
    lr = 0.05
    config = load_related_config(
        tmp_path,
        *("up", "aside"),
        auxiliary=[
            {"type": "auxiliary-target", "name": "foe", "label": "down", "kind": "regression", "head": "read-out"}
        ],
        optimizer={"type": "sgd", "lr": lr},
        interactions={"every_n_steps": 10_000, "affinity": True},
    )
    run_experiment(config, tmp_path / "run")
    interactions = load_interactions(tmp_path / "run")
    assert interactions["observed_steps"] == 1

    prepared = prepare(config)
    order = build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    batch = prepared.examples.build_batch(order.get_batches(0)[0], torch.device("cpu"))
    inputs = batch.inputs.double().numpy()
    targets = np.concatenate([table.double().reshape(len(inputs), -1).numpy() for table in batch.targets], axis=1)
    network = build_network(config, prepared.encoder, prepared.groups)
    weights = next(network.parameters()).detach().double().numpy()[0]

    def losses(weights_after: np.ndarray) -> np.ndarray:
        errors: np.ndarray = ((inputs @ weights_after)[:, None] - targets) ** 2
        means: np.ndarray = errors.mean(axis=0)
        return means

    gradients = [2 * inputs.T @ (inputs @ weights - targets[:, task]) / len(inputs) for task in range(3)]
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    cosine = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in gradients] for a in gradients]
    affinity = [1 - losses(weights - lr * gradient) / losses(weights) for gradient in gradients]
    np.testing.assert_allclose(interactions["norms"], norms, rtol=1e-4)
    np.testing.assert_allclose(interactions["cosine"], cosine, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(interactions["affinity"], np.array(affinity), rtol=1e-3, atol=1e-6)
    assert interactions["conflicts"] == (np.array(cosine) < 0).astype(float).tolist()
    assert interactions["cosine_error"][0][1] is None  # one step has no spread
    harmful_task, main_gradient = interactions["auxiliary"]["foe"], gradients[0] + gradients[1]
    assert harmful_task["cosine"] == pytest.approx(
        gradients[2] @ main_gradient / norms[2] / np.linalg.norm(main_gradient), rel=1e-3
    )
    assert harmful_task["affinity"] == pytest.approx(affinity[2][:2].mean(), rel=1e-3)


def test_standard_errors_match_the_steps(tmp_path: Path) -> None:
    """Each epoch has one batch, so the mean of an epoch is the value of one step."""
    training = {"epochs": 6, "batch_size": 100}
    interactions = train_and_load_interactions(
        tmp_path, "up", "aside", training=training, split={"type": "random", "validation": 0.9}
    )
    steps = [epoch["cosine"][0][1] for epoch in interactions["by_epoch"]]
    assert len(set(steps)) == 6
    assert get_matrix_entry(interactions, "cosine", "up", "aside") == pytest.approx(np.mean(steps), rel=1e-4)
    assert get_matrix_entry(interactions, "cosine_error", "up", "aside") == pytest.approx(
        np.std(steps, ddof=1) / 6**0.5, rel=1e-3
    )


def test_tasks_without_common_steps_have_no_values(tmp_path: Path) -> None:
    separate = train_and_load_interactions(tmp_path, "early", "late", training={"epochs": 2, "batch_size": 1})
    assert get_matrix_entry(separate, "steps", "early", "late") == 0
    for key in ("cosine", "conflicts", "affinity", "cosine_error", "affinity_error"):
        assert get_matrix_entry(separate, key, "early", "late") is None
    assert "no conclusion" in separate["suggestions"][0]
    assert all(norm > 0 for norm in separate["norms"])
    assert 0 < get_matrix_entry(separate, "steps", "early", "early") < separate["observed_steps"]
    common = train_and_load_interactions(tmp_path, "early", "late", name="together")  # batches of eight
    assert get_matrix_entry(common, "steps", "early", "late") > STEPS / 2
    assert get_matrix_entry(common, "affinity", "early", "late") is not None


def test_task_of_weight_zero_is_not_observed(tmp_path: Path) -> None:
    tasks = [
        {"name": name, "kind": "regression", "head": "read-out", "weight": weight}
        for name, weight in (("up", 1.0), ("aside", 1.0), ("down", 0.0))
    ]
    interactions = train_and_load_interactions(tmp_path, tasks=tasks)
    assert interactions["norms"][2] is None
    assert interactions["steps"][2] == [0, 0, 0]
    assert interactions["cosine"][0][1] is not None


def test_task_without_gradient_in_shared_parameters_is_not_compared(tmp_path: Path) -> None:
    config = load_related_config(tmp_path, "up", "aside", "down")
    prepared = prepare(config)
    network = build_network(config, prepared.encoder, prepared.groups)
    gradients = StepGradients(Accelerator(), network, [3])
    weights = gradients.shared[0]
    values = torch.stack([(weights**2).sum(), weights.sum() * 0 + 1, weights.sum()])
    observer = InteractionObserver(["a", "b", "c"], 3, InteractionConfig(affinity=True), 1)
    observer.should_observe(0, 0.1)
    losses = TaskLosses(values, torch.arange(3), torch.ones(3, dtype=torch.int64))
    observer.before_step(losses, gradients, lambda: losses)
    counts = observer.cosine.combine().count
    assert counts.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    assert observer.norms.mean()[1] == 0


@pytest.mark.parametrize("refit", [False, True])
def test_only_the_selection_stage_is_observed(tmp_path: Path, refit: bool) -> None:
    training = {"epochs": 3, "batch_size": 8, "refit": refit}
    assert train_and_load_interactions(tmp_path, "up", "down", training=training)["observed_steps"] == STEPS


def test_observation_interval(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(tmp_path, "up", "down", interactions={"every_n_steps": 10})
    assert interactions["observed_steps"] == 3  # steps 1, 11 and 21 of 27
    assert interactions["affinity"] is None
    assert interactions["affinity_error"] is None
    assert [epoch["epoch"] for epoch in interactions["by_epoch"]] == [1, 2, 3]
    rare_interactions = train_and_load_interactions(
        tmp_path, "up", "down", name="seldom", interactions={"every_n_steps": 20}
    )
    assert [epoch["epoch"] for epoch in rare_interactions["by_epoch"]] == [1, 3]


def test_run_without_interactions_has_no_file_and_no_cost(tmp_path: Path) -> None:
    run_experiment(load_related_config(tmp_path, "up", "down", interactions=None), tmp_path / "run")
    assert not (tmp_path / "run" / "interactions.json").exists()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]["interactions_s"] == 0
