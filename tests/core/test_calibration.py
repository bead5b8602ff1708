"""Calibration: temperatures, thresholds and the expected calibration error."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask
from toy import CLASSES, task_block, toy_config

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature
from mtl_core.builtins.task_kinds.threshold import fit_threshold
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration_error import compute_expected_calibration_error
from mtl_core.experiments.compare.run_outputs import LabelledOutputs, read_run
from mtl_core.runs.predict_inputs import predict_corpus
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_outputs import TaskOutputs
from mtl_core.runs.saved_run import load_run


@given(st.floats(0.3, 4.0), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_temperature_of_sampled_labels_is_recovered(temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4000, 3, generator=generator) * 2
    sampled_labels = torch.multinomial(torch.softmax(scores / temperature, dim=1), 1, generator=generator)[:, 0]
    estimated_temperature = fit_temperature(scores, sampled_labels)
    assert math.log(estimated_temperature / temperature) == pytest.approx(0, abs=0.2)


def test_temperature_maximises_the_likelihood() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(50) % 4
    scores = torch.randn(50, 4, generator=generator) + torch.nn.functional.one_hot(labels, 4)
    best = fit_temperature(scores, labels)

    def loss(value: float) -> float:
        return float(torch.nn.functional.cross_entropy(scores.double() / value, labels))

    assert loss(best) <= min(loss(best * factor) for factor in (0.9, 0.99, 1.01, 1.1)) + 1e-12


def test_defaults_without_labels() -> None:
    assert fit_temperature(torch.zeros(0, 3), torch.zeros(0).long()) == 1
    assert fit_threshold(torch.tensor([0.9]), torch.tensor([False]), 0.4) == 0.4


def test_threshold_of_calibrated_probabilities_is_half_of_the_best_f1() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(20_000, generator=generator) ** 2
    is_present = torch.rand(20_000, generator=generator) < probabilities
    threshold = fit_threshold(probabilities, is_present, 0.5)
    is_predicted = probabilities >= threshold
    f1 = 2 * int((is_predicted & is_present).sum()) / (int(is_predicted.sum()) + int(is_present.sum()))
    assert threshold == pytest.approx(f1 / 2, abs=0.06)


def test_calibration_error_formula() -> None:
    confidences = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.3, 0.3])
    is_correct = torch.tensor([True, True, True, False, False, True])
    assert compute_expected_calibration_error(confidences, is_correct) == pytest.approx(
        (4 * 0.15 + 2 * 0.2) / 6, abs=1e-6
    )
    assert compute_expected_calibration_error(confidences[:0], is_correct[:0]) is None
    assert compute_expected_calibration_error(torch.ones(3), torch.ones(3).bool()) == pytest.approx(0)


def build_overconfident_config(folder: Path, **training: Any) -> Any:
    """Return an experiment that overfits its few training examples."""
    settings = {"epochs": 40, "batch_size": 8, "select": {"metric": "accuracy"}, **training}
    return toy_config(
        folder,
        data={"type": "toy", "rows": 90, "test_rows": 40, "width": 12},
        split={"type": "random", "validation": 0.5},
        backbone={"type": "mlp", "hidden_dims": [64]},
        training=settings,
    )


def test_calibration_reduces_the_error_and_keeps_the_labels(tmp_path: Path) -> None:
    uncalibrated = run_experiment(build_overconfident_config(tmp_path), tmp_path / "plain").path
    calibrated = run_experiment(build_overconfident_config(tmp_path, calibrate=True), tmp_path / "honest").path
    errors = json.loads((calibrated / "metrics.json").read_text())["calibration"]["errors"]["label"]
    assert errors["after"] < 0.6 * errors["before"]
    rows = [
        [json.loads(line)["tasks"] for line in (run / "predictions.jsonl").read_text().splitlines()]
        for run in (uncalibrated, calibrated)
    ]
    labels = [[{name: entry["label"] for name, entry in row.items()} for row in run] for run in rows]
    assert labels[0] == labels[1]
    confidences = [[max(entry["probabilities"].values()) for row in run for entry in row.values()] for run in rows]
    assert sum(confidences[1]) < sum(confidences[0])
    saved = load_run(calibrated)
    corpus = saved.get_loader().load()
    loaded_rows = [row for row in predict_corpus(saved, corpus) if row["id"] == corpus.ids[-1]]
    for name, entry in rows[1][-1].items():
        loaded_entry = loaded_rows[0]["tasks"][name]
        assert loaded_entry["label"] == entry["label"]
        assert loaded_entry["probabilities"] == pytest.approx(entry["probabilities"], abs=2e-6)  # other batches


def test_calibration_needs_validation_data(tmp_path: Path) -> None:
    config = toy_config(
        tmp_path, split={"type": "random", "validation": 0.0}, training={"epochs": 1, "calibrate": True}
    )
    with pytest.raises(MtlError, match=r"training\.calibrate: calibration needs a validation split"):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_both_calibration_errors_cover_the_calibrated_tasks(tmp_path: Path) -> None:
    """An ordinal task has confidences but no calibrated value, so neither error may include it."""
    kinds = [{"type": "classification", "classes": CLASSES}, {"type": "ordinal", "classes": CLASSES}]
    tasks = [task_block(name=f"t{index}", kind=kind) for index, kind in enumerate(kinds)]
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


@pytest.mark.parametrize(
    ("kind", "training_labels", "calibration"),
    [
        (
            {"type": "detect-and-classify", "metrics": ["detection-f1", "detection-recall"]},
            ["good"] * 3 + ["bad"] * 2 + ["absent"] * 7,
            {"threshold": 0.2, "temperature": 3.0, "detection_temperature": 0.5},
        ),
        ({"type": "binary", "metrics": ["accuracy", "macro-f1"]}, ["no"] * 7 + ["yes"] * 3, {"temperature": 5.0}),
        ({"type": "classification", "metrics": ["accuracy"]}, ["no", "yes", "yes", "maybe"], {"temperature": 5.0}),
    ],
)
def test_baseline_is_independent_of_the_calibration(
    kind: dict[str, Any], training_labels: list[str], calibration: dict[str, float]
) -> None:
    one_task = OneTask(kind, training_labels)
    task = one_task.task
    targets = one_task.encode_targets(training_labels)
    outputs = torch.randn(len(targets), task.kind.n_outputs, generator=torch.Generator().manual_seed(0))

    def compute_baselines() -> list[Any]:
        labelled = LabelledOutputs(
            task,
            TaskOutputs(outputs, targets[:, 0], torch.arange(len(targets))),
            np.array([str(row) for row in range(len(targets))]),
        )
        baseline = labelled.predict_baseline()
        assert baseline is not None
        inputs = baseline.task.kind.prepare_for_metrics(baseline.outputs.outputs, baseline.outputs.targets)
        compared = []
        for spec in task.kind.metrics:
            metric = spec.build(task.space)
            metric.update(*inputs)
            compared.append(float(metric.compute()))
        reported = [metric.baseline for metric in one_task.compute_score(outputs, targets).metrics.values()]
        return [inputs[0].tolist(), compared, reported]

    before = compute_baselines()
    task.kind.calibration = calibration
    assert compute_baselines() == before
    assert before[1] == pytest.approx(before[2])


DETECTION = {"type": "detect-and-classify", "classes": CLASSES}


def test_validation_scores_do_not_use_values_that_are_fitted_to_the_same_labels(tmp_path: Path) -> None:
    """Without test data, the scores and predictions of a run are those of the network before its calibration."""
    runs = {
        calibrate: run_experiment(
            toy_config(
                tmp_path,
                split={"type": "random", "validation": 0.4},
                tasks=[{**task_block(kind={**DETECTION, "threshold": 0.9}), "mask": "observed"}],
                training={"epochs": 2, "calibrate": calibrate, "select": {"metric": "detection_f1"}},
            ),
            tmp_path / f"run-{calibrate}",
        ).path
        for calibrate in (True, False)
    }
    metrics = {key: json.loads((run / "metrics.json").read_text()) for key, run in runs.items()}
    assert all(values["threshold"] <= 0.7 for values in metrics[True]["calibration"]["values"].values())
    assert metrics[True]["splits"] == metrics[False]["splits"]
    best = metrics[True]["splits"]["validation"]["overall"]["detection_f1"]
    assert best == metrics[True]["model"]["best_score"]
    for name in ("predictions.jsonl", "mistakes.jsonl"):
        assert (runs[True] / name).read_text() == (runs[False] / name).read_text()
    experiment = RunDirectory.open(runs[True]).load_experiment()
    compared = {key: read_run(run, experiment) for key, run in runs.items()}
    for name, labelled in compared[True].tasks.items():
        outputs: list[Any] = [run.tasks[name] for run in (compared[True], compared[False])]
        labels = [one.task.kind.decode(one.outputs.outputs) for one in outputs]
        assert labels[0] == labels[1], name
        assert not labelled.task.kind.calibration


CLASS_KINDS = [{"type": "classification", "classes": CLASSES}, {"type": "binary", "classes": ["no", "yes"]}]


@pytest.mark.parametrize("kind", CLASS_KINDS, ids=lambda kind: kind["type"])
@given(st.floats(0.05, 20.0), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_temperature_changes_no_class(kind: dict[str, Any], temperature: float, seed: int) -> None:
    task = OneTask(kind).task.kind
    outputs = torch.randn(50, task.n_outputs, generator=torch.Generator().manual_seed(seed))
    before = task.decode(outputs)
    task.calibration = {"temperature": temperature}
    after = task.decode(outputs)
    assert [one.label for one in before] == [one.label for one in after]
    assert temperature == 1 or before[0].probabilities != after[0].probabilities


def test_threshold_changes_presence_but_no_class() -> None:
    """Detection predicts presence from a fitted threshold on; the class of what is present stays the same."""
    task = OneTask(DETECTION, [*CLASSES, "absent"]).task.kind
    outputs = torch.randn(200, task.n_outputs, generator=torch.Generator().manual_seed(0))
    before = [one.label for one in task.decode(outputs)]
    task.calibration = {"threshold": 0.3, "detection_temperature": 2.0, "temperature": 3.0}
    after = [one.label for one in task.decode(outputs)]
    assert sum(label == "absent" for label in after) < sum(label == "absent" for label in before)
    present = [(first, second) for first, second in zip(before, after, strict=True) if "absent" not in (first, second)]
    assert len(present) > 50
    assert all(first == second for first, second in present)
