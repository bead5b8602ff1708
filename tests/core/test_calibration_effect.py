"""Fitted temperatures and thresholds have an effect: on probabilities, labels, metrics and confidences."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from toy import CLASSES, task_block, toy_config

from mtl_core.builtins.task_kinds.binary import Binary
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.builtins.task_kinds.detection import DetectAndClassify
from mtl_core.data.class_space import ClassSpace, DetectionSpace
from mtl_core.data.task_groups import group_tasks
from mtl_core.evaluation.calibration import apply_calibration
from mtl_core.nn.task_kind import TaskKind
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run

COUNTS = {"good": 30, "bad": 10, "absent": 60}


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def build_detection_kind(**calibration: float) -> TaskKind:
    kind = DetectAndClassify(threshold=0.5).build(DetectionSpace(["good", "bad"], "absent"), COUNTS)
    kind.calibration = calibration
    return kind


OUTPUTS = torch.tensor([[-1.2, 2.0, 0.0]])
"""Log-odds of presence of -1.2, so 0.2315; 0.3543 at temperature 2."""


def test_temperatures_divide_the_logits_of_detection_and_class() -> None:
    kind = build_detection_kind(detection_temperature=2.0, temperature=4.0)
    [prediction] = kind.decode(OUTPUTS)
    presence, good = sigmoid(-0.6), sigmoid(0.5)
    assert prediction.probabilities == pytest.approx(
        {"good": presence * good, "bad": presence * (1 - good), "absent": 1 - presence}
    )


@pytest.mark.parametrize(
    ("calibration", "label"),
    [
        ({}, "absent"),
        ({"threshold": 0.3}, "absent"),
        ({"threshold": 0.2}, "good"),
        ({"threshold": 0.3, "detection_temperature": 2.0}, "good"),
        ({"threshold": 0.4, "detection_temperature": 2.0}, "absent"),
    ],
)
def test_labels_metrics_and_confidences_use_threshold_and_temperature(
    calibration: dict[str, float], label: str
) -> None:
    kind = build_detection_kind(**calibration)
    target = torch.tensor([0])  # "good"
    assert kind.decode(OUTPUTS)[0].label == label
    scores, _ = kind.prepare_for_metrics(OUTPUTS, target)
    assert ["good", "bad", "absent"][int(scores.argmax())] == label
    detection = kind.compute_confidences(OUTPUTS, target)["detection"]
    presence = sigmoid(-1.2 / calibration.get("detection_temperature", 1.0))
    assert detection.confidence.tolist() == pytest.approx([presence if label == "good" else 1 - presence])
    assert detection.is_correct.tolist() == [label == "good"]


def test_class_temperature_changes_class_confidence_only() -> None:
    targets = torch.tensor([1])  # "bad", so the predicted "good" is wrong
    plain, scaled = (
        build_detection_kind(**keys).compute_confidences(OUTPUTS, targets) for keys in ({}, {"temperature": 4.0})
    )
    assert plain["class"].confidence.tolist() == pytest.approx([sigmoid(2.0)])
    assert scaled["class"].confidence.tolist() == pytest.approx([sigmoid(0.5)])
    assert scaled["class"].is_correct.tolist() == [False]
    assert torch.equal(plain["detection"].confidence, scaled["detection"].confidence)


def test_detection_temperature_of_sampled_labels_is_recovered() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(6000, 3, generator=generator) * 3
    is_present = torch.rand(6000, generator=generator) < torch.sigmoid(outputs[:, 0] / 3)
    is_good = torch.rand(6000, generator=generator) < torch.sigmoid((outputs[:, 1] - outputs[:, 2]) / 1.5)
    targets = torch.where(is_present, torch.where(is_good, 0, 1), 2)
    values = build_detection_kind().fit_calibration(outputs, targets)
    assert values["detection_temperature"] == pytest.approx(3, rel=0.1)
    assert values["temperature"] == pytest.approx(1.5, rel=0.1)


def test_threshold_is_fitted_to_calibrated_probabilities() -> None:
    """22 of 100 labels with one probability are present, and 35 of 100 with another one.

    A temperature of 1/3 makes the probabilities 0.22 and 0.35; without it, they are 0.396 and 0.449. F1 is higher if
    only the second hundred are detected: 2 · 35 / (100 + 57) instead of 2 · 57 / (200 + 57).
    """
    log_odds = torch.tensor([0.22, 0.35]).logit().repeat_interleave(100) / 3
    outputs = torch.stack([log_odds, torch.zeros(200), torch.zeros(200)], dim=1)
    is_present = torch.cat([torch.arange(100) < 22, torch.arange(100) < 35])
    values = build_detection_kind().fit_calibration(outputs, torch.where(is_present, 0, 2))
    assert values["detection_temperature"] == pytest.approx(1 / 3, rel=1e-3)
    assert 0.22 < values["threshold"] <= 0.35


@pytest.mark.parametrize("spec", [Binary(), Classification()])
def test_temperature_divides_the_logits_of_class_tasks(spec: Binary | Classification) -> None:
    kind = spec.build(ClassSpace(["no", "yes"]), {"no": 1, "yes": 1})
    outputs = torch.tensor([[1.5]]) if isinstance(spec, Binary) else torch.tensor([[0.0, 1.5]])
    assert kind.decode(outputs)[0].probabilities["yes"] == pytest.approx(sigmoid(1.5))
    kind.calibration = {"temperature": 3.0}
    assert kind.decode(outputs)[0].probabilities["yes"] == pytest.approx(sigmoid(0.5))
    assert kind.compute_confidences(outputs, torch.tensor([0]))["label"].confidence.tolist() == pytest.approx(
        [sigmoid(0.5)]
    )


@pytest.mark.parametrize("spec", [Binary(), Classification()])
def test_fitted_temperature_makes_confidence_equal_accuracy(spec: Binary | Classification) -> None:
    """Of 100 equal predictions, 75 are correct: the likelihood is maximal at a confidence of 0.75."""
    kind = spec.build(ClassSpace(["no", "yes"]), {"no": 1, "yes": 1})
    outputs = torch.full((100, 1), 4.0)
    if isinstance(spec, Classification):
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    targets = (torch.arange(100) < 75).long()
    kind.calibration = kind.fit_calibration(outputs, targets)
    assert kind.calibration["temperature"] == pytest.approx(4 / math.log(3), rel=1e-3)
    assert kind.compute_confidences(outputs, targets)["label"].confidence[0].item() == pytest.approx(0.75, abs=1e-3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated run of detection that overfits, so that temperatures and thresholds differ from their defaults."""
    folder = tmp_path_factory.mktemp("calibrated")
    config = toy_config(
        folder,
        data={"type": "toy", "rows": 80, "test_rows": 60, "labelled": 0.9},
        split={"type": "random", "validation": 0.4},
        tasks=[{**task_block(kind={"type": "detect-and-classify", "classes": CLASSES}), "mask": "observed"}],
        training={"epochs": 25, "batch_size": 8, "calibrate": True, "select": {"metric": "joint_f1"}},
    )
    return run_experiment(config, folder / "run").path


def read_calibration(run: Path) -> Mapping[str, Mapping[str, float]]:
    values: Mapping[str, Mapping[str, float]] = json.loads((run / "metrics.json").read_text())["calibration"]["values"]
    return values


def read_predictions(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["tasks"] for line in (run / "predictions.jsonl").read_text().splitlines()]


def test_written_predictions_apply_the_fitted_values(run: Path) -> None:
    predictions, tensors, values = read_predictions(run), load_file(run / "outputs.safetensors"), read_calibration(run)
    assert {len(task) for task in values.values()} == {3}
    for name, fitted in values.items():
        assert abs(math.log(fitted["detection_temperature"])) > 0.05
        outputs = tensors[f"{name}/outputs"]
        for row, output in zip(tensors[f"{name}/examples"].tolist(), outputs.tolist(), strict=True):
            prediction = predictions[row][name]
            presence = sigmoid(output[0] / fitted["detection_temperature"])
            assert prediction["probabilities"]["absent"] == pytest.approx(1 - presence, abs=1e-4)
            if abs(presence - fitted["threshold"]) > 1e-4:
                assert (prediction["label"] != "absent") == (presence > fitted["threshold"])


def test_loaded_run_predicts_with_the_applied_values(run: Path) -> None:
    """Values that `apply_calibration` sets are those that the tasks of a loaded run use."""
    saved = load_run(run)
    assert {task.name: dict(task.kind.calibration) for task in saved.main_tasks} == read_calibration(run)
    groups = group_tasks(saved.main_tasks)
    first, *remaining = saved.main_tasks
    before = [dict(task.kind.calibration) for task in remaining]
    apply_calibration(groups, {first.name: {"threshold": 0.99}})
    outputs = torch.tensor([[3.0, 1.0, 0.0, 0.0]])
    assert first.kind.decode(outputs)[0].label == "absent"
    apply_calibration(groups, {first.name: {"threshold": 0.2}})
    assert first.kind.decode(outputs)[0].label == "c0"
    assert [dict(task.kind.calibration) for task in remaining] == before
