"""Detection and classification with one head: whether the label is present, and its class."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import CLASSES, task_block, toy_config

from mtl_core.builtins.metrics.detection import DetectionF1, DetectionPrecision, DetectionRecall, JointF1
from mtl_core.builtins.task_kinds.detection import DetectAndClassify
from mtl_core.data.class_space import DetectionSpace
from mtl_core.data.label_space import MISSING
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.errors import MtlError
from mtl_core.nn.task_kind import TaskKind
from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.result_files import build_scores_report
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run

KIND = {"type": "detect-and-classify", "classes": CLASSES}
SPACE = DetectionSpace(["good", "bad"], "absent")
COUNTS = {"good": 30, "bad": 10, "absent": 60}


def build_kind(**keys: Any) -> TaskKind:
    return DetectAndClassify(**keys).build(SPACE, COUNTS)


def build_outputs(detection: float, good: float, bad: float) -> torch.Tensor:
    return torch.tensor([[detection, good, bad]])


def test_loss_is_the_log_likelihood_of_detection_and_class() -> None:
    outputs = build_outputs(0.7, 1.2, -0.4)
    p_present, p_good = 1 / (1 + math.exp(-0.7)), math.exp(1.2) / (math.exp(1.2) + math.exp(-0.4))
    for target, expected in ((0, p_present * p_good), (1, p_present * (1 - p_good)), (2, 1 - p_present)):
        loss = build_kind().loss(outputs, torch.tensor([target]))
        assert float(loss) == pytest.approx(-math.log(expected), abs=1e-6)


def test_absent_labels_have_no_class_gradient() -> None:
    outputs = torch.randn(4, 3, requires_grad=True)
    build_kind().loss(outputs, torch.tensor([2, 0, 2, 1])).sum().backward()
    assert outputs.grad is not None
    assert not outputs.grad[[0, 2], 1:].any()
    assert outputs.grad[[1, 3], 1:].any(dim=1).all()
    assert outputs.grad[:, 0].all()


def test_detection_weight_scales_the_loss() -> None:
    outputs = torch.randn(5, 3)
    absent_targets = torch.full((5,), 2)
    plain_loss, weighted_loss = (
        build_kind(detection_weight=weight).loss(outputs, absent_targets) for weight in (1.0, 3.0)
    )
    assert torch.allclose(3 * plain_loss, weighted_loss)


def test_decoding_uses_the_threshold() -> None:
    outputs = build_outputs(-0.2, 1.0, 0.0)  # present with a probability of 0.45
    low, high = build_kind(threshold=0.4).decode(outputs)[0], build_kind(threshold=0.5).decode(outputs)[0]
    assert (low.label, high.label) == ("good", "absent")
    assert low.probabilities == high.probabilities
    assert sum(low.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert low.probabilities["absent"] == pytest.approx(0.55, abs=0.001)


def test_baseline_is_the_most_frequent_label() -> None:
    assert build_kind().decode(build_kind().build_baseline_outputs(1))[0].label == "absent"
    bad_kind = DetectAndClassify().build(SPACE, {"good": 10, "bad": 50, "absent": 20})
    assert bad_kind.decode(bad_kind.build_baseline_outputs(1))[0].label == "bad"


CODES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


@given(CODES)
@settings(max_examples=60, deadline=None)
def test_metrics_equal_their_formulas(pairs: list[tuple[int, int]]) -> None:
    outputs = torch.nn.functional.one_hot(torch.tensor([first for first, _ in pairs]), 3).float()
    true = torch.tensor([second for _, second in pairs])
    n_hits = sum(first != 2 and second != 2 for first, second in pairs)
    n_correct = sum(first == second != 2 for first, second in pairs)
    n_predicted, n_gold = sum(first != 2 for first, _ in pairs), sum(second != 2 for _, second in pairs)
    expected = {
        DetectionPrecision(): (n_hits, n_predicted),
        DetectionRecall(): (n_hits, n_gold),
        DetectionF1(): (2 * n_hits, n_predicted + n_gold),
        JointF1(): (2 * n_correct, n_predicted + n_gold),
    }
    for spec, (numerator, denominator) in expected.items():
        metric = spec.build(SPACE)
        metric.update(outputs, true)
        value = float(metric.compute())
        assert math.isnan(value) if not denominator else value == pytest.approx(numerator / denominator)


def test_detection_metrics_refuse_other_kinds(tmp_path: Path) -> None:
    blocks = task_block(kind={"type": "classification", "classes": CLASSES, "metrics": ["detection-f1"]})
    with pytest.raises(MtlError, match="'detection-f1' is for tasks of the kind 'detect-and-classify'"):
        run_experiment(toy_config(tmp_path, tasks=[blocks]), tmp_path / "run")


@pytest.mark.parametrize(
    ("labels", "keys", "message"),
    [
        (["good", "bad"], {}, "no label is 'absent', so detection cannot be learned"),
        (["good", "absent"], {}, "classes other than 'absent': good; a task needs 2 or more"),
    ],
)
def test_invalid_training_labels_are_refused(labels: list[str], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(MtlError, match=message):
        DetectAndClassify(**keys).build_space(LabelStatistics(labels, labels))


def test_mask_that_excludes_the_absent_label_is_refused(tmp_path: Path) -> None:
    blocks = {**task_block(kind=KIND), "mask": {"type": "exclude-labels", "labels": ["absent"]}}
    with pytest.raises(MtlError, match="the mask excludes 'absent', which detection needs"):
        run_experiment(toy_config(tmp_path, tasks=[blocks]), tmp_path / "run")


def test_absent_label_cannot_be_a_class() -> None:
    with pytest.raises(ValueError, match="'absent' is the value of `absent_label`"):
        DetectAndClassify(classes=["good", "absent"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detection")
    config = toy_config(
        folder,
        data={"type": "toy", "rows": 150, "test_rows": 60, "labelled": 0.7},
        split={"type": "random", "validation": 0.3},
        tasks=[{**task_block(kind=KIND), "mask": "observed"}],
        training={
            "epochs": 5,
            "batch_size": 16,
            "calibrate": True,
            "select": {"metric": "joint_f1"},
            "refit": True,
        },
    )
    return run_experiment(config, folder / "run").path


def read_records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def test_metrics_equal_those_of_the_predictions(run: Path) -> None:
    test = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    entries = [
        (entry["label"], entry["gold"], entry["probabilities"])
        for record in read_records(run)
        for entry in record["tasks"].values()
        if "gold" in entry
    ]
    n_hits = sum(label != "absent" != gold for label, gold, _ in entries)
    n_predicted, n_gold = (sum(pair[index] != "absent" for pair in entries) for index in (0, 1))
    assert 0 < n_gold < len(entries) < 180  # missing labels are neither present nor absent
    assert test["detection"]["precision"] == pytest.approx(n_hits / n_predicted)
    assert test["detection"]["recall"] == pytest.approx(n_hits / n_gold)
    assert test["detection"]["micro_f1"] == pytest.approx(2 * n_hits / (n_predicted + n_gold))
    classes = [(max(CLASSES, key=lambda name: row[name]), gold) for _, gold, row in entries if gold != "absent"]
    assert test["overall"]["n"] == len(classes)
    assert test["overall"]["correct"] == sum(label == gold for label, gold in classes)


def test_loaded_network_uses_the_same_threshold(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    saved = load_run(run)
    calibration = {task.name: dict(task.kind.calibration) for task in saved.main_tasks}
    assert calibration == metrics["calibration"]["values"]
    assert all(values["threshold"] != 0.5 or values["temperature"] != 1 for values in calibration.values())
    loaded_report = build_scores_report(evaluate_test_split(saved).scores)
    assert loaded_report["detection"] == metrics["splits"]["test"]["detection"]
    assert loaded_report["overall"] == metrics["splits"]["test"]["overall"]


def test_selection_pools_joint_f1_over_tasks(run: Path) -> None:
    rows = (run / "history.csv").read_text().splitlines()
    names = rows[0].split(",")
    scores = [
        float(row.split(",")[names.index("validation.overall.joint_f1")]) for row in rows[1:] if "selection" in row
    ]
    best = json.loads((run / "metrics.json").read_text())["model"]
    assert best["best_score"] == max(scores)
    assert best["best_epoch"] == scores.index(max(scores)) + 1


def test_missing_labels_do_not_count_as_absent() -> None:
    codes = SPACE.encode(["good", None, "absent"], ["", "", ""])
    assert codes.tolist() == [0, MISSING, 2]
    assert SPACE.compute_label_mask(torch.from_numpy(codes)).tolist() == [True, False, True]
    assert np.array_equal(np.array(SPACE.classes), ["good", "bad", "absent"])
