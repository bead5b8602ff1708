"""Calibration: temperatures, thresholds and the expected calibration error."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import CLASSES, task_block, toy_config

from mtl_core.builtins.task_kinds.temperature import best_temperature, best_threshold
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration import expected_calibration_error
from mtl_core.runs.predict import predict_corpus
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved import load_run


@given(st.floats(0.3, 4.0), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_temperature_by_which_labels_were_drawn_is_found(temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4000, 3, generator=generator) * 2
    drawn = torch.multinomial(torch.softmax(scores / temperature, dim=1), 1, generator=generator)[:, 0]
    found = best_temperature(scores, drawn)
    assert math.log(found / temperature) == pytest.approx(0, abs=0.2)


def test_no_other_temperature_is_likelier() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(50) % 4
    scores = torch.randn(50, 4, generator=generator) + torch.nn.functional.one_hot(labels, 4)
    found = best_temperature(scores, labels)

    def loss(value: float) -> float:
        return float(torch.nn.functional.cross_entropy(scores.double() / value, labels))

    assert loss(found) <= min(loss(found * factor) for factor in (0.9, 0.99, 1.01, 1.1)) + 1e-12


def test_without_labels_nothing_is_scaled() -> None:
    assert best_temperature(torch.zeros(0, 3), torch.zeros(0).long()) == 1
    assert best_threshold(torch.tensor([0.9]), torch.tensor([False]), 0.4) == 0.4


def test_the_threshold_of_calibrated_probabilities_is_half_of_the_best_f1() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(20_000, generator=generator) ** 2
    there = torch.rand(20_000, generator=generator) < probabilities
    threshold = best_threshold(probabilities, there, 0.5)
    said = probabilities >= threshold
    f1 = 2 * int((said & there).sum()) / (int(said.sum()) + int(there.sum()))
    assert threshold == pytest.approx(f1 / 2, abs=0.06)


def test_the_error_is_the_mean_gap() -> None:
    sure = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.3, 0.3])
    right = torch.tensor([True, True, True, False, False, True])
    assert expected_calibration_error(sure, right) == pytest.approx((4 * 0.15 + 2 * 0.2) / 6, abs=1e-6)
    assert expected_calibration_error(sure[:0], right[:0]) is None
    assert expected_calibration_error(torch.ones(3), torch.ones(3).bool()) == pytest.approx(0)


def overconfident(folder: Path, **training: Any) -> Any:
    """Return an experiment that overfits its few training examples."""
    settings = {"epochs": 40, "batch_size": 8, "select": {"metric": "accuracy"}, **training}
    return toy_config(
        folder,
        data={"type": "toy", "rows": 90, "test_rows": 40, "width": 12},
        split={"type": "random", "validation": 0.5},
        backbone={"type": "mlp", "hidden_dims": [64]},
        training=settings,
    )


def test_an_overconfident_network_becomes_honest_and_says_the_same(tmp_path: Path) -> None:
    plain = run_experiment(overconfident(tmp_path), tmp_path / "plain").path
    honest = run_experiment(overconfident(tmp_path, calibrate=True), tmp_path / "honest").path
    found = json.loads((honest / "metrics.json").read_text())["calibration"]["errors"]["label"]
    assert found["after"] < 0.6 * found["before"]
    rows = [
        [json.loads(line)["tasks"] for line in (run / "predictions.jsonl").read_text().splitlines()]
        for run in (plain, honest)
    ]
    labels = [[{name: entry["label"] for name, entry in row.items()} for row in run] for run in rows]
    assert labels[0] == labels[1]
    sure = [[max(entry["probabilities"].values()) for row in run for entry in row.values()] for run in rows]
    assert sum(sure[1]) < sum(sure[0])
    saved = load_run(honest)
    corpus = saved.loader().load()
    again = [row for row in predict_corpus(saved, corpus) if row["id"] == corpus.ids[-1]]
    assert again[0]["tasks"] == rows[1][-1]


def test_there_must_be_data_to_choose_by(tmp_path: Path) -> None:
    config = toy_config(
        tmp_path, split={"type": "random", "validation": 0.0}, training={"epochs": 1, "calibrate": True}
    )
    with pytest.raises(MtlError, match=r"training\.calibrate: calibration needs a validation split"):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_both_errors_are_of_the_tasks_that_were_calibrated(tmp_path: Path) -> None:
    """An ordinal task has confidences but no calibrated value, so neither error may include it."""
    kinds = [{"type": "classification", "classes": CLASSES}, {"type": "ordinal", "classes": CLASSES}]
    tasks = [task_block(name=f"t{place}", kind=kind) for place, kind in enumerate(kinds)]
    config = toy_config(
        tmp_path,
        data={"type": "toy", "rows": 60, "tasks": 2},
        split={"type": "random", "validation": 0.4},
        tasks=tasks,
        training={"epochs": 1, "calibrate": True},
    )
    metrics = json.loads((run_experiment(config, tmp_path / "run").path / "metrics.json").read_text())
    assert list(metrics["calibration"]["values"]) == ["t0"]
    assert metrics["calibration"]["errors"]["label"]["n"] == metrics["splits"]["validation"]["tasks"]["t0"]["n"]
