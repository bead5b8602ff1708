"""A mean over tasks that selects the epoch contains the same tasks in every epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import toy_config

from mtl_core.artifacts.json_files import read_json
from mtl_core.config.training import Selection
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.evaluation.inference import BatchOutputs
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.selection import compute_selection_score
from mtl_core.evaluation.undefined_metrics import describe_undefined_metrics, find_defined_metrics
from mtl_core.nn.heads import HeadOutput
from mtl_core.runs.run import run_experiment

DETECTION = {"type": "detect-and-classify", "classes": ["good", "bad"], "absent_label": "none"}
VALIDATION = {
    "a": ["good", "none", "bad", "none"],
    "b": ["none", "good", "none", "none"],
    "unlabelled": ["", "", "", ""],
    "negative": ["none", "none", "none", "none"],
}
"""The labels of validation examples; no network has a detection F1 for the last two tasks."""
TRAINING = ["good", "bad", "none", "good", "bad", "none"]


def write_config(folder: Path, select: dict[str, Any], kind: dict[str, Any], columns: Mapping[str, list[str]]) -> Any:
    rows = [f"t{row},train,{row}," + ",".join([label] * len(columns)) for row, label in enumerate(TRAINING)]
    rows += [
        f"v{row},validation,{10 + row}," + ",".join(column[row] for column in columns.values()) for row in range(4)
    ]
    table = folder / "table.csv"
    table.write_text("\n".join([f"id,split,x,{','.join(columns)}", *rows]) + "\n", encoding="utf-8")
    return toy_config(
        folder,
        data={
            "type": "table",
            "train": str(table),
            "id": "id",
            "split": "split",
            "numbers": ["x"],
            "labels": list(columns),
        },
        split="predefined",
        tasks=[{"each": "*", "kind": kind, "head": "linear"}],
        training={"epochs": 2, "select": select},
    )


def compute_score(data: FittedData, select: Selection, predictions: dict[str, list[str]]) -> float | None:
    """Compute the selection score of predicted labels of the validation examples."""
    [group] = data.groups
    rows = data.split.validation
    targets = data.examples.targets[0].get_targets(torch.from_numpy(rows), None, None)
    outputs = torch.zeros(len(rows), len(group.tasks), 3)
    for column, task in enumerate(group.tasks):
        for row, label in enumerate(predictions[task.name]):
            outputs[row, column, 0] = -9.0 if label == "none" else 9.0
            outputs[row, column, 2 if label == "bad" else 1] = 9.0
    scorer = Scorer(data.groups)
    scorer.update(BatchOutputs(np.asarray(rows), Batch(None, [targets], [None]), [HeadOutput(outputs)]))
    return compute_selection_score(select, scorer.compute(), find_defined_metrics(select, data))


def predict_all(**predictions: list[str]) -> dict[str, list[str]]:
    return {**dict.fromkeys(VALIDATION, ["none"] * 4), **predictions}


@pytest.mark.parametrize("aggregation", ["mean", "relative_error_reduction"])
def test_task_that_predicts_nothing_lowers_the_mean(tmp_path: Path, aggregation: str) -> None:
    select = Selection(metric="detection_f1", aggregation=aggregation)
    data = prepare(write_config(tmp_path, select.model_dump(), DETECTION, VALIDATION))
    assert list(find_defined_metrics(select, data)) == ["a", "b"]
    perfect_a = predict_all(a=VALIDATION["a"])
    assert compute_score(data, select, predict_all(a=VALIDATION["a"], b=VALIDATION["b"])) == pytest.approx(1)
    score = compute_score(data, select, perfect_a)
    assert score is not None
    assert score < 1
    # A false positive gives an excluded task a value, in this epoch only.
    assert compute_score(data, select, {**perfect_a, "negative": ["good"] * 4}) == score


def test_precision_without_a_prediction_is_the_worst(tmp_path: Path) -> None:
    select = Selection(metric="detection_precision", aggregation="mean")
    data = prepare(write_config(tmp_path, select.model_dump(), DETECTION, VALIDATION))
    a = ["good", "good", "good", "none"]
    assert compute_score(data, select, predict_all(a=a)) == pytest.approx((2 / 3 + 0) / 2)
    assert compute_score(data, select, predict_all(a=a, b=["none", "good", "good", "none"])) == pytest.approx(
        (2 / 3 + 1 / 2) / 2
    )


def test_metric_without_a_worst_value_makes_the_epoch_undefined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtl_core.builtins.metrics.detection import DetectionPrecision

    monkeypatch.setattr(DetectionPrecision, "worst_value", None)
    select = Selection(metric="detection_precision", aggregation="mean")
    data = prepare(write_config(tmp_path, select.model_dump(), DETECTION, VALIDATION))
    assert compute_score(data, select, predict_all(a=VALIDATION["a"])) is None
    assert compute_score(data, select, predict_all(a=VALIDATION["a"], b=VALIDATION["b"])) == 1


def test_excluded_tasks_are_reported(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"metric": "detection_f1", "aggregation": "mean"}, DETECTION, VALIDATION)
    run = run_experiment(config, tmp_path / "run").path
    assert read_json(run / "metrics.json")["data"]["warnings"] == [
        "selection of the epoch: 2 of 4 tasks are excluded, since their metric is undefined for the labels of the "
        "validation data (unlabelled, negative)"
    ]


@pytest.mark.parametrize(
    ("kind", "metric", "training", "columns", "expected"),
    [
        ("regression", "r2", "123123", {"a": list("1234"), "equal": list("2222"), "one": ["2", "", "", ""]}, ["a"]),
        ("multi-label", "micro_f1", "xyzxyz", {"a": list("xyzx"), "unlabelled": [""] * 4}, ["a"]),
        ("ordinal", "quadratic_kappa", "123123", {"a": list("1231"), "equal": list("2222")}, ["a"]),
        ("binary", "macro_f1", "xyxyxy", {"a": list("xyxy"), "equal": list("xxxx")}, ["a", "equal"]),
    ],
)
def test_labels_that_leave_metrics_undefined(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    metric: str,
    training: str,
    columns: dict[str, list[str]],
    expected: list[str],
) -> None:
    monkeypatch.setitem(globals(), "TRAINING", list(training))
    select = Selection(metric=metric, aggregation="mean")
    data = prepare(write_config(tmp_path, select.model_dump(), {"type": kind}, columns))
    assert list(find_defined_metrics(select, data)) == expected
    n_excluded = len(columns) - len(expected)
    warnings = describe_undefined_metrics(select, data)
    assert len(warnings) == (n_excluded > 0)
    assert all(f"{n_excluded} of {len(columns)} tasks are excluded" in warning for warning in warnings)
