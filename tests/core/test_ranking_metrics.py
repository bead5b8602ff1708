"""ROC-AUC, average precision, log loss and Spearman's correlation against scikit-learn, SciPy and torchmetrics."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from torchmetrics.functional.classification import binary_auroc, binary_average_precision
from torchmetrics.functional.regression import spearman_corrcoef
from toy import toy_config

from mtl_core.artifacts.history import History
from mtl_core.artifacts.json_files import read_json
from mtl_core.builtins.metrics.log_loss import LogLoss
from mtl_core.builtins.metrics.ranking import AveragePrecision, RocAuc
from mtl_core.builtins.metrics.spearman import Spearman
from mtl_core.data.class_space import ClassSpace, DetectionSpace, MultiLabelSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError
from mtl_core.evaluation.metric_accumulator import compute_value
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec
from mtl_core.runs.run import run_experiment

BINARY = {"type": "binary", "classes": ["no", "yes"], "metrics": ["roc-auc", "average-precision", "log-loss"]}
TWO = ClassSpace(["no", "yes"])
NUMBER = NumberSpace([0.0], [1.0], False)


def compute_one(spec: MetricSpec, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> float | None:
    """Compute the value of one task, from all its labels and with torchmetrics, which agree to 1e-6.

    torchmetrics adds 1e-6 to the denominator of a rank correlation, so that of two labels differs by 4e-6.
    """
    tolerance = 5e-6 if isinstance(spec, Spearman) else 1e-6
    values = spec.compute_task_values([space], GroupLabels(outputs, targets, torch.tensor([len(targets)])))
    assert values is not None
    value = float(values[0])
    metric = spec.build(space)
    for rows in (slice(None, 2), slice(2, None)):
        if len(targets[rows]):
            metric.update(outputs[rows], targets[rows])
    expected = compute_value(spec, metric, len(targets))
    assert value == pytest.approx(math.nan if expected is None else expected, abs=tolerance, nan_ok=True)
    return None if math.isnan(value) else value


# Few scores, so that many are equal.
labels = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(labels=labels)
def test_rankings_of_two_classes(labels: list[tuple[int, bool]]) -> None:
    scores = torch.tensor([score for score, _ in labels], dtype=torch.float64)
    targets = torch.tensor([int(is_positive) for _, is_positive in labels])
    logits = torch.stack([torch.zeros_like(scores), scores], dim=1)
    auc, precision = (compute_one(spec, TWO, logits, targets) for spec in (RocAuc(), AveragePrecision()))
    if len(set(targets.tolist())) < 2:
        assert auc is None
        assert precision is None
        return
    assert auc == pytest.approx(roc_auc_score(targets, scores), abs=1e-12)
    assert auc == pytest.approx(float(binary_auroc(torch.sigmoid(scores), targets)), abs=1e-6)
    assert precision == pytest.approx(average_precision_score(targets, scores), abs=1e-12)
    assert precision == pytest.approx(float(binary_average_precision(torch.sigmoid(scores), targets)), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_rank_correlation(pairs: list[tuple[int, int]]) -> None:
    outputs, targets = torch.tensor(pairs, dtype=torch.float64).T
    value = compute_one(Spearman(), NUMBER, outputs, targets)
    if len(set(outputs.tolist())) < 2 or len(set(targets.tolist())) < 2:
        assert value is None
        return
    assert value == pytest.approx(spearmanr(outputs, targets).statistic, abs=1e-12)
    assert value == pytest.approx(float(spearman_corrcoef(outputs, targets)), abs=5e-6)


def test_scores_that_probabilities_round_to_1_keep_their_order() -> None:
    """In 32 bits, the sigmoid of 20 and of 30 is 1."""
    task = OneTask(BINARY, ["no", "yes"])
    outputs = torch.tensor([[30.0], [20.0], [-120.0], [-110.0]])
    score = task.compute_score(outputs, task.encode_targets(["yes", "no", "no", "yes"]))
    assert score.metrics["roc_auc"].value == 0.75
    assert score.metrics["average_precision"].value == pytest.approx((1 + 2 / 3) / 2)
    assert score.metrics["log_loss"].value == pytest.approx((0 + 20 + 0 + 110) / 4)


def test_equal_and_signed_zero_scores_are_ties() -> None:
    logits = torch.tensor([[0.0, -0.0], [0.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert compute_one(RocAuc(), TWO, logits, torch.tensor([1, 0, 1, 0])) == (1 + 0.5 + 1 + 1) / 4


def test_undefined_output_makes_only_its_task_undefined() -> None:
    logits = torch.zeros(4, 2)
    logits[0, 1] = torch.nan
    labels = GroupLabels(logits, torch.tensor([0, 1, 0, 1]), torch.tensor([2, 0, 2]))
    for spec in (RocAuc(), AveragePrecision()):
        values = spec.compute_task_values([TWO] * 3, labels)
        assert np.isnan(values).tolist() == [True, True, False]
        assert values[2] == 0.5


def test_log_loss_of_calibrated_probabilities() -> None:
    kind = {"type": "classification", "classes": ["a", "b", "c"], "metrics": ["log-loss"]}
    task = OneTask(kind, ["a", "a", "b"])
    task.task.kind.calibration = {"temperature": 2.0}
    outputs = torch.tensor([[4.0, 0.0, -2.0], [0.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    metric = task.compute_score(outputs, task.encode_targets(["a", "c", "b"])).metrics["log_loss"]
    expected = log_loss([0, 2, 1], torch.softmax(outputs.double() / 2, dim=1).numpy())
    assert metric.value == pytest.approx(expected, abs=1e-6)
    assert not metric.higher_is_better
    # The baseline predicts the frequencies of the training labels: 2.5, 1.5 and 0.5 of 4.5.
    assert metric.baseline == pytest.approx(-math.log(2.5 * 1.5 * 0.5 / 4.5**3) / 3)


@pytest.mark.parametrize("kind", ["ordinal", "detect-and-classify"])
def test_log_loss_of_other_classes_is_finite(kind: str) -> None:
    training = ["a", "b", "c", "absent"] if kind == "detect-and-classify" else ["a", "b", "c"]
    task = OneTask({"type": kind, "classes": ["a", "b", "c"], "metrics": ["log-loss"]}, training)
    outputs = torch.full((3, task.task.kind.n_outputs), 99.0)
    outputs[:, -1] = -99.0
    value = task.compute_score(outputs, task.encode_targets(training[-3:])).metrics["log_loss"].value
    assert isinstance(value, float)
    assert value > 1


def test_baselines() -> None:
    task = OneTask(BINARY, ["no", "no", "yes"])
    score = task.compute_score(torch.randn(5, 1), task.encode_targets(["yes", "no", "no", None, "yes"]))
    assert score.metrics["roc_auc"].baseline == 0.5
    assert score.metrics["average_precision"].baseline == 0.5
    assert score.metrics["roc_auc"].n == 4
    one_class = task.compute_score(torch.randn(2, 1), task.encode_targets(["no", "no"])).metrics["roc_auc"]
    assert (one_class.value, one_class.baseline, one_class.n) == (None, None, 2)


@pytest.mark.parametrize("spec", [RocAuc(), AveragePrecision()])
@pytest.mark.parametrize(
    ("space", "message"),
    [
        (ClassSpace(["a", "b", "c"]), r"; found 3 classes \(a, b, c\), whose probabilities the metric 'log-loss'"),
        (DetectionSpace(["good"], "absent"), ""),
        (MultiLabelSpace(["a", "b"]), ""),
        (NUMBER, ""),
    ],
)
def test_rankings_need_two_classes(spec: MetricSpec, space: LabelSpace, message: str) -> None:
    for check in (spec.check_space, spec.build):
        with pytest.raises(
            MtlError, match=f"'{spec.type}' is for tasks with two classes, such as `kind: binary`{message}"
        ):
            check(space)


def test_other_spaces_are_refused() -> None:
    with pytest.raises(MtlError, match="'spearman' is for tasks with one number per label, not for vectors"):
        Spearman().check_space(NumberSpace([0.0, 0.0], [1.0, 1.0], True))
    with pytest.raises(MtlError, match="'log-loss' is for tasks with one class per label"):
        LogLoss().check_space(NUMBER)


def test_first_metric_selects_the_epoch(tmp_path: Any) -> None:
    """Tasks with accuracies, too, are selected by the metric that is listed first."""
    for metrics, name in ((["roc-auc", "accuracy"], "mean"), (["accuracy", "roc-auc"], "overall")):
        kind = {"type": "binary", "classes": ["c0", "c1"], "metrics": metrics}
        config = toy_config(
            tmp_path,
            data={"type": "toy", "rows": 60, "tasks": 3, "classes": 2},
            tasks=[{"each": "*", "kind": kind, "head": "linear", "mask": "exclude-labels"}],
            training={"epochs": 4},
        )
        run = run_experiment(config, tmp_path / name).path
        model = read_json(run / "metrics.json")["model"]
        epochs = History.read(run / "history.csv").selection
        key = metrics[0].replace("-", "_")
        if name == "mean":
            table = [[epoch.validation[f"t{task}.{key}"] or 0.0 for task in range(3)] for epoch in epochs]
            values = np.mean(table, axis=1).tolist()
        else:
            values = [epoch.validation[f"overall.{key}"] or 0.0 for epoch in epochs]
        assert model["best_score"] == pytest.approx(max(values))
        assert model["best_epoch"] == 1 + int(np.argmax(values))
