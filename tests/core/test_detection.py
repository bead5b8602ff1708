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

from mtl_core.builtins.detection_metrics import DetectionF1, DetectionPrecision, DetectionRecall, JointF1
from mtl_core.builtins.task_kinds.detection import DetectAndClassify
from mtl_core.data.label_space import MISSING, DetectionSpace, FoundLabels
from mtl_core.errors import MtlError
from mtl_core.runs.evaluate import evaluate_test_part
from mtl_core.runs.results import scores_report
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.training.kinds import TaskKind

KIND = {"type": "detect-and-classify", "classes": CLASSES}
SPACE = DetectionSpace(["good", "bad"], "absent")
COUNTS = {"good": 30, "bad": 10, "absent": 60}


def kind(**keys: Any) -> TaskKind:
    return DetectAndClassify(**keys).build(SPACE, COUNTS)


def outputs_for(detection: float, good: float, bad: float) -> torch.Tensor:
    return torch.tensor([[detection, good, bad]])


def test_the_loss_is_the_log_likelihood_of_both_answers() -> None:
    said = outputs_for(0.7, 1.2, -0.4)
    there, good = 1 / (1 + math.exp(-0.7)), math.exp(1.2) / (math.exp(1.2) + math.exp(-0.4))
    for target, expected in ((0, there * good), (1, there * (1 - good)), (2, 1 - there)):
        loss = kind().loss(said, torch.tensor([target]))
        assert float(loss) == pytest.approx(-math.log(expected), abs=1e-6)


def test_classes_are_not_learned_where_there_is_nothing() -> None:
    said = torch.randn(4, 3, requires_grad=True)
    kind().loss(said, torch.tensor([2, 0, 2, 1])).sum().backward()
    assert said.grad is not None
    assert not said.grad[[0, 2], 1:].any()
    assert said.grad[[1, 3], 1:].any(dim=1).all()
    assert said.grad[:, 0].all()


def test_detection_counts_as_much_as_it_is_to() -> None:
    said = torch.randn(5, 3)
    nothing = torch.full((5,), 2)
    once, thrice = (kind(detection_weight=weight).loss(said, nothing) for weight in (1.0, 3.0))
    assert torch.allclose(3 * once, thrice)


def test_what_is_decoded_follows_the_threshold() -> None:
    said = outputs_for(-0.2, 1.0, 0.0)  # present with a probability of 0.45
    low, high = kind(threshold=0.4).decode(said)[0], kind(threshold=0.5).decode(said)[0]
    assert (low.label, high.label) == ("good", "absent")
    assert low.probabilities == high.probabilities
    assert sum(low.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert low.probabilities["absent"] == pytest.approx(0.55, abs=0.001)


def test_the_baseline_says_what_most_labels_say() -> None:
    assert kind().decode(kind().baseline_outputs(1))[0].label == "absent"
    often = DetectAndClassify().build(SPACE, {"good": 10, "bad": 50, "absent": 20})
    assert often.decode(often.baseline_outputs(1))[0].label == "bad"


CODES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


@given(CODES)
@settings(max_examples=60, deadline=None)
def test_metrics_count_what_was_found(pairs: list[tuple[int, int]]) -> None:
    said = torch.nn.functional.one_hot(torch.tensor([first for first, _ in pairs]), 3).float()
    true = torch.tensor([second for _, second in pairs])
    hits = sum(first != 2 and second != 2 for first, second in pairs)
    right = sum(first == second != 2 for first, second in pairs)
    found, there = sum(first != 2 for first, _ in pairs), sum(second != 2 for _, second in pairs)
    expected = {
        DetectionPrecision(): (hits, found),
        DetectionRecall(): (hits, there),
        DetectionF1(): (2 * hits, found + there),
        JointF1(): (2 * right, found + there),
    }
    for spec, (above, below) in expected.items():
        metric = spec.build(SPACE)
        metric.update(said, true)
        value = float(metric.compute())
        assert math.isnan(value) if not below else value == pytest.approx(above / below)


def test_metrics_of_detection_refuse_other_tasks(tmp_path: Path) -> None:
    blocks = task_block(kind={"type": "classification", "classes": CLASSES, "metrics": ["detection-f1"]})
    with pytest.raises(MtlError, match="'detection-f1' is for tasks of the kind 'detect-and-classify'"):
        run_experiment(toy_config(tmp_path, tasks=[blocks]), tmp_path / "run")


@pytest.mark.parametrize(
    ("found", "keys", "message"),
    [
        (["good", "bad"], {}, "no label is 'absent', so detection cannot be learned"),
        (["good", "absent"], {}, "classes other than 'absent': good; a task needs 2 or more"),
    ],
)
def test_labels_that_make_no_such_task_are_refused(found: list[str], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(MtlError, match=message):
        DetectAndClassify(**keys).space(FoundLabels(found, found))


def test_a_mask_that_hides_nothing_is_refused(tmp_path: Path) -> None:
    blocks = {**task_block(kind=KIND), "mask": {"type": "exclude-labels", "labels": ["absent"]}}
    with pytest.raises(MtlError, match="the mask excludes 'absent', which detection needs"):
        run_experiment(toy_config(tmp_path, tasks=[blocks]), tmp_path / "run")


def test_nothing_cannot_be_a_class() -> None:
    with pytest.raises(ValueError, match="'absent' is the value of `nothing`"):
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


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def test_figures_are_those_of_the_predictions(run: Path) -> None:
    test = json.loads((run / "metrics.json").read_text())["splits"]["test"]
    said = [
        (entry["label"], entry["gold"], entry["probabilities"])
        for record in records(run)
        for entry in record["tasks"].values()
        if "gold" in entry
    ]
    hits = sum(label != "absent" != gold for label, gold, _ in said)
    found, there = (sum(pair[place] != "absent" for pair in said) for place in (0, 1))
    assert 0 < there < len(said) < 180  # missing labels are neither present nor absent
    assert test["detection"]["precision"] == pytest.approx(hits / found)
    assert test["detection"]["recall"] == pytest.approx(hits / there)
    assert test["detection"]["micro_f1"] == pytest.approx(2 * hits / (found + there))
    classes = [(max(CLASSES, key=lambda name: row[name]), gold) for _, gold, row in said if gold != "absent"]
    assert test["overall"]["n"] == len(classes)
    assert test["overall"]["correct"] == sum(label == gold for label, gold in classes)


def test_the_loaded_network_follows_the_same_threshold(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    saved = load_run(run)
    chosen = {task.name: dict(task.kind.calibration) for task in saved.main_tasks}
    assert chosen == metrics["calibration"]["values"]
    assert all(values["threshold"] != 0.5 or values["temperature"] != 1 for values in chosen.values())
    again = scores_report(evaluate_test_part(saved).scores)
    assert again["detection"] == metrics["splits"]["test"]["detection"]
    assert again["overall"] == metrics["splits"]["test"]["overall"]


def test_selection_looks_at_pairs_over_all_tasks(run: Path) -> None:
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
    assert SPACE.observed(torch.from_numpy(codes)).tolist() == [True, False, True]
    assert np.array_equal(np.array(SPACE.classes), ["good", "bad", "absent"])
