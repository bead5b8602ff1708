"""Every built-in metric against values computed by hand, from its sums and as a torchmetrics metric."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.builtins.metrics.confusion_matrix import Confusion
from mtl_core.builtins.metrics.detection import DetectionF1, DetectionPrecision, DetectionRecall, JointF1
from mtl_core.builtins.metrics.exact_match import ExactMatch
from mtl_core.builtins.metrics.label_sums import (
    compute_error_sums,
    compute_f1,
    compute_nanmean,
    compute_r2,
    restricted_argmax,
)
from mtl_core.builtins.metrics.macro_f1 import MacroF1
from mtl_core.builtins.metrics.mean_error import MAE, RMSE
from mtl_core.builtins.metrics.micro_f1 import MicroF1
from mtl_core.builtins.metrics.quadratic_kappa import QuadraticKappa
from mtl_core.builtins.metrics.r2 import R2
from mtl_core.builtins.metrics.rank_distance import RankDistance
from mtl_core.builtins.metrics.restricted_accuracy import RestrictedAccuracy
from mtl_core.data.class_space import ClassSpace, DetectionSpace, MultiLabelSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError
from mtl_core.evaluation.metric_accumulator import MetricAccumulator
from mtl_core.plugins.specs import MetricSpec

NAN = math.nan
GRADES = ClassSpace(["low", "middle", "high", "top"])
ASPECT = DetectionSpace(["good", "bad"], "absent")
COLOURS = MultiLabelSpace(["red", "green", "blue"])
NUMBER = NumberSpace([10.0], [2.0], False)
PAIR = NumberSpace([10.0, -1.0], [2.0, 1.0], True)


def one_hot(codes: list[int], n_classes: int) -> torch.Tensor:
    return torch.eye(n_classes)[codes]


# Predicted and true grades: 3 of 7 are correct; "top" neither occurs nor is predicted.
GRADE_LABELS = (one_hot([2, 0, 1, 1, 0, 2, 2], 4), torch.tensor([0, 0, 1, 2, 1, 2, 1]))
# Detection: 2 hits (one with the right class), 3 false alarms, 2 misses, 1 correct absence.
ASPECT_LABELS = (one_hot([0, 0, 1, 2, 2, 2, 1, 0], 3), torch.tensor([0, 1, 2, 0, 1, 2, 2, 2]))
COLOUR_LABELS = (
    torch.tensor([[0.9, 0.1, 0.6], [0.5, 0.2, 0.7], [0.4, 0.3, 0.2], [0.8, 0.9, 0.1]]),
    torch.tensor([[1, 0, 1], [1, 0, 1], [0, 0, 0], [0, 1, 1]]),
)
NUMBER_LABELS = (torch.tensor([11.0, 8.0, 16.0]), torch.tensor([10.0, 10.0, 13.0]))
PAIR_LABELS = (
    torch.tensor([[11.0, 0.0], [8.0, 4.0], [16.0, 5.0]]),
    torch.tensor([[10.0, 0.0], [10.0, NAN], [13.0, 2.0]]),
)

CASES: dict[str, tuple[MetricSpec, LabelSpace, tuple[torch.Tensor, torch.Tensor], Any]] = {
    "accuracy": (Accuracy(), GRADES, GRADE_LABELS, 3 / 7),
    # F1: low 2/4, middle 2/5, high 2/5.
    "macro-f1": (MacroF1(), GRADES, GRADE_LABELS, (0.5 + 0.4 + 0.4) / 3),
    "macro-f1, one class": (MacroF1(), GRADES, (one_hot([1, 2], 4), torch.tensor([1, 1])), (2 / 3 + 0) / 2),
    "confusion": (
        Confusion(),
        GRADES,
        GRADE_LABELS,
        [[1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]],
    ),
    "rank-distance": (RankDistance(), GRADES, GRADE_LABELS, (2 + 0 + 0 + 1 + 1 + 0 + 1) / 7),
    # Squared distances: 1 + 4 + 1 + 1 = 7. With 2, 3, 2 labels and 2, 2, 3 predictions of the grades, the sum over
    # independent pairs is (4 + 4 · 6 + 6 + 9 + 4 · 4 + 4) / 7 = 9.
    "quadratic-kappa": (QuadraticKappa(), GRADES, GRADE_LABELS, 1 - 7 / 9),
    "two of four grades": (
        RestrictedAccuracy(name="two", classes=["low", "high"]),
        GRADES,
        (torch.tensor([[1.0, 9.0, 2.0, 9.0], [3.0, 9.0, 2.0, 0.0], [5.0, 0.0, 4.0, 0.0]]), torch.tensor([2, 0, 2])),
        2 / 3,
    ),
    "all classes but absence": (
        RestrictedAccuracy(name="present"),
        ASPECT,
        (torch.tensor([[1.0, 2.0, 9.0], [2.0, 1.0, 9.0]]), torch.tensor([1, 1])),
        1 / 2,
    ),
    "detection-precision": (DetectionPrecision(), ASPECT, ASPECT_LABELS, 2 / 5),
    "detection-recall": (DetectionRecall(), ASPECT, ASPECT_LABELS, 2 / 4),
    "detection-f1": (DetectionF1(), ASPECT, ASPECT_LABELS, 2 * 2 / (2 * 2 + 3 + 2)),
    # The wrong class is both a false positive and a false negative.
    "joint-f1": (JointF1(), ASPECT, ASPECT_LABELS, 2 * 1 / (2 * 1 + 4 + 3)),
    "nothing detected": (DetectionPrecision(), ASPECT, (one_hot([2, 2], 3), torch.tensor([0, 2])), None),
    "nothing present": (DetectionRecall(), ASPECT, (one_hot([0, 2], 3), torch.tensor([2, 2])), None),
    # An indicator of 0.5 is negative. True positives 4, false positives 1, false negatives 2.
    "micro-f1": (MicroF1(), COLOURS, COLOUR_LABELS, 2 * 4 / (2 * 4 + 1 + 2)),
    "micro-f1 of nothing": (MicroF1(), COLOURS, (torch.zeros(2, 3), torch.zeros(2, 3)), None),
    "exact-match": (ExactMatch(), COLOURS, COLOUR_LABELS, 2 / 4),
    "mae": (MAE(), NUMBER, NUMBER_LABELS, (1 + 2 + 3) / 3),
    "rmse": (RMSE(), NUMBER, NUMBER_LABELS, math.sqrt((1 + 4 + 9) / 3)),
    "mae of pairs": (MAE(), PAIR, PAIR_LABELS, (1 + 2 + 3 + 0 + 3) / 5),
    "rmse of pairs": (RMSE(), PAIR, PAIR_LABELS, math.sqrt((1 + 4 + 9 + 0 + 9) / 5)),
    # The labels 10, 10, 13 vary by 1 + 1 + 4 = 6, the errors are 1 + 4 + 9 = 14.
    "r2": (R2(), NUMBER, NUMBER_LABELS, 1 - 14 / 6),
    # The labels 0 and 2 vary by 2, the error is 9.
    "r2 of pairs": (R2(), PAIR, PAIR_LABELS, (1 - 14 / 6 + 1 - 9 / 2) / 2),
    "r2 of equal labels": (R2(), NUMBER, (torch.tensor([9.0, 10.0]), torch.tensor([13.1, 13.1])), None),
    "r2 of labels that equal the mean": (R2(), NUMBER, (torch.tensor([9.0, 10.0]), torch.tensor([10.0, 10.0])), None),
    "r2 of one label": (R2(), NUMBER, (torch.tensor([9.0]), torch.tensor([13.0])), None),
}


def assert_equal(value: Any, expected: Any) -> None:
    if expected is None or isinstance(expected, list):
        assert value == expected
    else:
        assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_value_from_sums(name: str) -> None:
    """Labels arrive in two batches, and the sums of batches are added."""
    spec, space, (outputs, targets), expected = CASES[name]
    spec.check_space(space)
    accumulator = MetricAccumulator(spec, space)
    for rows in (slice(None, 1), slice(1, None)):
        if len(targets[rows]):
            accumulator.update(outputs[rows], targets[rows])
    assert accumulator.sums is not None
    assert accumulator.sums.dtype == np.float64
    assert_equal(accumulator.compute(), expected)


@pytest.mark.parametrize("name", CASES)
def test_value_of_the_torchmetrics_metric(name: str) -> None:
    spec, space, (outputs, targets), expected = CASES[name]
    metric = spec.build(space)
    for _ in range(2):  # the second time, after a reset
        for rows in (slice(None, 1), slice(1, None)):
            if len(targets[rows]):
                metric.update(outputs[rows], targets[rows])
        value = metric.compute().tolist()
        assert_equal(None if isinstance(value, float) and math.isnan(value) else value, expected)
        metric.reset()


@pytest.mark.parametrize("name", CASES)
def test_values_of_several_sums_at_once(name: str) -> None:
    """Resampling computes many values from a table of sums."""
    spec, space, (outputs, targets), expected = CASES[name]
    sums = spec.compute_sums(space, outputs, targets)
    assert sums is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        values = spec.compute_from_sums(np.stack([sums, 2 * sums, sums])).tolist()
    assert len(values) == 3
    if name == "r2 of one label":  # twice one label is two equal labels
        values = [values[0]]
    for index, value in enumerate(values):
        if isinstance(expected, list):
            assert value == [[(2 if index == 1 else 1) * count for count in row] for row in expected]
        else:
            assert_equal(None if math.isnan(value) else value, expected)


@pytest.mark.parametrize("name", CASES)
def test_sums_per_label_add_up_to_the_sums(name: str) -> None:
    spec, space, (outputs, targets), _ = CASES[name]
    label_sums, sums = spec.compute_label_sums(space, outputs, targets), spec.compute_sums(space, outputs, targets)
    if label_sums is not None:
        assert label_sums.shape[0] == len(targets)
        assert label_sums.dtype == torch.float64
        assert sums is not None
        assert label_sums.sum(dim=0).tolist() == pytest.approx(sums.tolist())


SPACES: list[LabelSpace] = [GRADES, ASPECT, COLOURS, NUMBER]
SUPPORTED: dict[str, tuple[MetricSpec, list[LabelSpace], str]] = {
    **{
        spec.type: (spec, [GRADES, ASPECT], "is for tasks with one class per label")
        for spec in (Accuracy(), MacroF1(), Confusion(), RankDistance(), QuadraticKappa(), RestrictedAccuracy(name="r"))
    },
    **{
        spec.type: (spec, [ASPECT], "is for tasks of the kind 'detect-and-classify'")
        for spec in (DetectionF1(), DetectionPrecision(), DetectionRecall(), JointF1())
    },
    **{spec.type: (spec, [COLOURS], "is for tasks with any number of labels") for spec in (MicroF1(), ExactMatch())},
    **{spec.type: (spec, [NUMBER], "is for tasks whose labels are numbers") for spec in (MAE(), RMSE(), R2())},
}


@pytest.mark.parametrize("name", SUPPORTED)
def test_metrics_of_other_tasks_are_refused(name: str) -> None:
    spec, supported, message = SUPPORTED[name]
    for space in SPACES:
        if space in supported:
            spec.check_space(space)
            spec.build(space)
        else:
            for check in (spec.check_space, spec.build):
                with pytest.raises(MtlError, match=f"the metric '{name}' {message}"):
                    check(space)


def test_unknown_class_of_a_subset_is_refused() -> None:
    with pytest.raises(MtlError, match=r"metric 'two': 'hgh' is not a class; did you mean 'high'\? \(classes: low, "):
        RestrictedAccuracy(name="two", classes=["low", "hgh"]).check_space(GRADES)


def test_subset_selects_the_rows_of_its_classes() -> None:
    targets = torch.tensor([0, 1, 2, 3, 0])
    two = RestrictedAccuracy(name="two", classes=["top", "low"])
    assert two.select_rows(GRADES, targets).tolist() == [True, False, False, True, True]
    assert RestrictedAccuracy(name="p").select_rows(ASPECT, torch.tensor([0, 1, 2])).tolist() == [True, True, False]
    assert two.key() == "two"
    assert Accuracy().select_rows(GRADES, targets).tolist() == [True] * 5
    assert QuadraticKappa().key() == "quadratic_kappa"


@pytest.mark.parametrize("name", ["n", "correct", "majority_x", "x_n", "X", "1a", "a-b"])
def test_names_that_metrics_json_uses_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be a metric's name|String should match pattern"):
        RestrictedAccuracy(name=name)
    assert RestrictedAccuracy(name="two_way_2").name == "two_way_2"


def test_directions_and_pooling() -> None:
    lower_is_better = {"mae", "rmse", "rank-distance"}
    for spec, _, _ in SUPPORTED.values():
        assert spec.higher_is_better == (spec.type not in lower_is_better)
        assert spec.scalar == (spec.type != "confusion")
        assert spec.pooled == (spec.type in {"accuracy", "exact-match", "restricted-accuracy"})
        assert spec.pooled_by_sums == (
            spec.type in {"detection-f1", "detection-precision", "detection-recall", "joint-f1"}
        )


# ── helpers ──


def test_restricted_argmax_returns_codes_of_allowed_classes() -> None:
    outputs = torch.tensor([[5.0, 1.0, 3.0], [0.0, 9.0, 2.0]])
    assert restricted_argmax(outputs, [2, 1]).tolist() == [2, 1]


def test_error_sums_of_labels_without_numbers() -> None:
    outputs, targets = torch.tensor([[3.0, 1.0], [0.0, 0.0]]), torch.tensor([[1.0, NAN], [NAN, NAN]])
    assert compute_error_sums(outputs, targets, squared=True).tolist() == [[4.0, 1.0], [0.0, 0.0]]
    assert compute_error_sums(outputs, targets, squared=False).tolist() == [[2.0, 1.0], [0.0, 0.0]]


def test_r2_of_labels_with_a_small_variance() -> None:
    """Counts, labels, squared labels, squared errors; the variance is 5e-10 - (3e-5)² / 2 = 5e-11."""
    assert compute_r2(np.array([2.0, 3e-5, 5e-10, 1e-11])).tolist() == pytest.approx([0.8])


def test_f1_of_classes_and_their_mean() -> None:
    with np.errstate(invalid="ignore"):
        scores = compute_f1(np.array([1.0, 0.0, 0.0, 2.0, 0.0, 3.0, 1.0, 0.0, 0.0]))
        assert scores.tolist()[0] == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))
        assert math.isnan(scores[1])
        assert scores[2] == 0.0
        assert float(compute_nanmean(scores)) == pytest.approx(0.4 / 2)
        assert math.isnan(compute_nanmean(np.array([NAN, NAN])))
