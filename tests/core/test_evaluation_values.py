"""Pooled scores, selection scores and calibration errors against values computed by hand."""

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torchmetrics
from one_task import OneTask

from mtl_core.builtins.loss_masks import Observed
from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.builtins.metrics.confusion_matrix import Confusion
from mtl_core.builtins.metrics.detection import DetectionPrecision, JointF1
from mtl_core.builtins.metrics.mean_error import MAE
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature
from mtl_core.builtins.task_kinds.threshold import fit_threshold
from mtl_core.config.tasks import NamedTask
from mtl_core.config.training import Selection
from mtl_core.data.batches import Batch
from mtl_core.data.class_space import ClassSpace
from mtl_core.data.fitted_task import FittedTask, fit_task
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration_error import compute_expected_calibration_error
from mtl_core.evaluation.inference import BatchOutputs
from mtl_core.evaluation.metric_accumulator import MetricAccumulator, compute_value, has_sums
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.scores import MetricSums, MetricValue, Scores, TaskScore, Value
from mtl_core.evaluation.selection import compute_selection_score, flatten_scores, resolve_selection
from mtl_core.nn.heads import HeadOutput
from mtl_core.plugins.specs import MetricSpec

# ── pooling ──


def build_value(value: Value, n: int = 10, baseline: Value = None, **keys: Any) -> MetricValue:
    return MetricValue(value, n, baseline, **{"pooled": True, **keys})


def build_scores(**metrics: dict[str, MetricValue]) -> Scores:
    """Return scores from task name to metrics."""
    tasks = {name: TaskScore(next(iter(task.values())).n, task) for name, task in metrics.items()}
    return Scores(tasks, pool_scores(list(tasks.values())))


def test_pooled_metrics_are_weighted_by_labels() -> None:
    pooled = pool_scores(
        [
            TaskScore(1, {"accuracy": build_value(1.0, 1, 0.0), "f1": build_value(0.3, 1, pooled=False)}),
            TaskScore(3, {"accuracy": build_value(0.5, 3, 1.0), "two_way": build_value(0.25, 2, 0.5)}),
            TaskScore(0, {"accuracy": build_value(None, 0)}),
        ]
    )
    assert pooled.n == 4
    assert pooled.metrics == {
        "accuracy": build_value(0.625, 4, 0.75),
        "two_way": build_value(0.25, 2, 0.5),
    }


def test_undefined_values_are_left_out_of_pooled_means() -> None:
    pooled = pool_scores([TaskScore(5, {"a": build_value(None, 5)}), TaskScore(1, {"a": build_value(0.5, 1, 0.25)})])
    assert pooled.metrics["a"] == build_value(0.5, 6, 0.25)
    assert pool_scores([TaskScore(5, {"a": build_value(None, 5)})]).metrics["a"] == build_value(None, 5)
    assert pool_scores([]) == TaskScore(0, {})


def build_counts(spec: MetricSpec, value: list[float], baseline: list[float] | None) -> MetricValue:
    sums = MetricSums(spec, np.array(value), None if baseline is None else np.array(baseline))
    return build_value(0.1, 7, 0.1, pooled=False, sums=sums)


def test_counts_are_added_over_tasks() -> None:
    """True positives, false positives and false negatives: 1 + 2, 1 + 0 and 2 + 0."""
    spec = JointF1()
    pooled = pool_scores(
        [
            TaskScore(7, {"f1": build_counts(spec, [1, 1, 2], [0, 1, 1])}),
            TaskScore(7, {"f1": build_counts(spec, [2, 0, 0], [1, 0, 0])}),
        ]
    )
    assert pooled.metrics["f1"] == build_value(2 * 3 / (2 * 3 + 1 + 2), 14, 2 * 1 / (2 + 1 + 1))
    without_baseline = pool_scores([TaskScore(7, {"f1": build_counts(spec, [1, 1, 2], None)})]).metrics["f1"]
    assert (without_baseline.value, without_baseline.baseline) == (2 / 5, None)


def test_undefined_pooled_counts_have_no_value_and_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    metric = pool_scores([TaskScore(7, {"p": build_counts(DetectionPrecision(), [0, 0, 2], [0, 0, 2])})]).metrics["p"]
    assert (metric.value, metric.baseline) == (None, None)
    infinite = pool_scores([TaskScore(7, {"mae": build_counts(MAE(), [6, 0], None)})]).metrics["mae"]
    assert infinite.value is None
    assert not len(recwarn)


def test_direction_of_pooled_counts() -> None:
    pooled = pool_scores([TaskScore(7, {"mae": build_counts(MAE(), [6, 3], [9, 3])})]).metrics["mae"]
    assert (pooled.value, pooled.baseline, pooled.higher_is_better) == (2.0, 3.0, False)


# ── error reduction ──


@pytest.mark.parametrize(
    ("value", "baseline", "higher_is_better", "expected"),
    [
        (0.9, 0.6, True, 0.75),
        (0.6, 0.9, True, -3.0),
        (0.5, 2.0, False, 0.75),
        (2.0, 2.0, False, 0.0),
        (1.0, 1.0, True, None),  # a baseline without errors
        (0.1, 0.0, False, None),
        (None, 0.5, True, None),
        (0.5, None, True, None),
        ([[1]], 0.5, True, None),
        (0.5, [[1]], True, None),
        (0.5, -1.0, True, 0.75),  # R² of a baseline may be negative
    ],
)
def test_relative_error_reduction(
    value: Value, baseline: Value, higher_is_better: bool, expected: float | None
) -> None:
    metric = build_value(value, baseline=baseline, higher_is_better=higher_is_better)
    assert metric.relative_error_reduction == (None if expected is None else pytest.approx(expected))


# ── selection scores ──

ACCURACIES = build_scores(
    a={"accuracy": build_value(0.9, 30, 0.6), "f1": build_value(0.2, 30, 0.1, pooled=False)},
    b={"accuracy": build_value(0.5, 10, 0.5), "f1": build_value(0.4, 10, 0.1, pooled=False)},
)


@pytest.mark.parametrize(
    ("metric", "aggregation", "expected"),
    [
        ("accuracy", "overall", (30 * 0.9 + 10 * 0.5) / 40),
        ("accuracy", "mean", 0.7),
        ("accuracy", "b", 0.5),
        ("f1", "mean", 0.3),
        ("f1", "a", 0.2),
        ("f1", "overall", None),
        ("accuracy", "relative_error_reduction", (0.75 + 0) / 2),
        ("f1", "relative_error_reduction", (0.1 / 0.9 + 0.3 / 0.9) / 2),
        (None, "relative_error_reduction", 0.375),  # the first metric of each task
    ],
)
def test_selection_score(metric: str | None, aggregation: str, expected: float | None) -> None:
    score = compute_selection_score(Selection(metric=metric, aggregation=aggregation), ACCURACIES)
    assert score == (None if expected is None else pytest.approx(expected))


F1 = JointF1()


@pytest.mark.parametrize("aggregation", ["mean", "relative_error_reduction"])
def test_mean_over_tasks_with_undefined_values(aggregation: str) -> None:
    select = Selection(metric="joint_f1", aggregation=aggregation)
    scores = build_scores(
        unlabelled={"joint_f1": build_value(None, 0, None, pooled=False)},
        a={"joint_f1": build_value(0.8, 9, 0.5, pooled=False)},
        b={"joint_f1": build_value(None, 9, 0.5, pooled=False)},
    )
    a, b = (0.8, 0.0) if aggregation == "mean" else (0.6, -1.0)  # the worst F1 is 0
    assert compute_selection_score(select, scores, {"a": F1, "b": F1}) == pytest.approx((a + b) / 2)
    assert compute_selection_score(select, scores, {"a": F1}) == pytest.approx(a)
    assert compute_selection_score(select, scores, {}) is None
    assert compute_selection_score(select, scores) is None  # without known metrics, b has no worst value
    assert compute_selection_score(select, scores, {"a": Accuracy(), "b": Accuracy()}) is None


def test_error_reduction_leaves_out_tasks_whose_baseline_has_no_errors() -> None:
    scores = build_scores(a={"accuracy": build_value(0.9, 9, 0.6)}, b={"accuracy": build_value(0.9, 9, 1.0)})
    select = Selection(metric="accuracy", aggregation="relative_error_reduction")
    assert compute_selection_score(select, scores) == pytest.approx(0.75)


def test_a_value_that_is_not_a_number_is_no_score() -> None:
    scores = build_scores(a={"confusion": build_value([[1, 0], [0, 1]], pooled=False)})
    assert compute_selection_score(Selection(metric="confusion", aggregation="a"), scores) is None


def test_scores_for_the_history_are_numbers_by_task_and_metric() -> None:
    scores = build_scores(
        a={"accuracy": build_value(0.9, 30), "confusion": build_value([[1]], 30, pooled=False, scalar=False)},
        b={"accuracy": build_value(None, 0), "pair": build_value([[1]], pooled=False)},
    )
    assert flatten_scores(scores) == {"overall.accuracy": 0.9, "a.accuracy": 0.9, "b.accuracy": None}


# ── selection settings ──


def build_task(name: str, kind: Any, *labels: Any) -> FittedTask:
    block = NamedTask.model_validate({"name": name, "kind": kind, "head": "linear"})
    return fit_task(block, LabelStatistics(labels, labels))


def build_class_task(name: str, *metrics: str) -> FittedTask:
    return build_task(name, {"type": "classification", "metrics": list(metrics)}, "x", "y")


def build_number_task(name: str, *metrics: str) -> FittedTask:
    return build_task(name, {"type": "regression", "metrics": list(metrics)}, 1.0, 2.0)


BOTH = [build_class_task("a", "macro-f1", "accuracy"), build_class_task("b", "accuracy")]
F1_ONLY = [build_class_task("a", "macro-f1"), build_class_task("b", "macro-f1")]
NUMBERS = [build_number_task("a", "mae", "r2"), build_number_task("b", "mae", "r2")]
MIXED = [build_class_task("a", "macro-f1"), build_number_task("b", "mae")]
JOINT = [
    build_task(name, {"type": "detect-and-classify", "metrics": ["joint-f1"]}, "x", "y", "absent")
    for name in ("a", "b")
]
LISTS = [
    build_task(name, {"type": "multi-label", "classes": ["x", "y"], "metrics": ["exact-match"]}, ["x"])
    for name in ("a", "b")
]
Pair = tuple[str | None, str | None]


@pytest.mark.parametrize(
    ("tasks", "select", "expected"),
    [
        (BOTH, (None, None), (None, "relative_error_reduction")),  # both have accuracies, but not as the first metric
        (BOTH[1:], (None, None), ("accuracy", "overall")),
        (BOTH[1:], (None, "mean"), ("accuracy", "mean")),
        (BOTH[:1], (None, None), ("macro_f1", "mean")),
        (BOTH, (None, "b"), ("accuracy", "b")),
        (BOTH, ("accuracy", None), ("accuracy", "overall")),
        (F1_ONLY, (None, None), ("macro_f1", "mean")),
        (F1_ONLY, (None, "a"), ("macro_f1", "a")),
        (F1_ONLY, ("macro_f1", None), ("macro_f1", "mean")),
        (F1_ONLY, ("macro-f1", None), ("macro_f1", "mean")),  # the name of the type
        (NUMBERS, (None, None), ("mae", "relative_error_reduction")),
        (NUMBERS[:1], (None, None), ("mae", "mean")),
        (NUMBERS, (None, "b"), ("mae", "b")),
        (NUMBERS, ("r2", None), ("r2", "mean")),
        (LISTS, (None, None), ("exact_match", "overall")),
        (MIXED, (None, None), (None, "relative_error_reduction")),
        (MIXED, (None, "relative_error_reduction"), (None, "relative_error_reduction")),
        (MIXED, ("mae", "b"), ("mae", "b")),
        (JOINT, ("joint_f1", None), ("joint_f1", "overall")),
        (BOTH, (None, "relative_error_reduction"), (None, "relative_error_reduction")),
    ],
)
def test_defaults_of_the_selection(tasks: list[FittedTask], select: Pair, expected: Pair) -> None:
    resolved = resolve_selection(Selection(metric=select[0], aggregation=select[1]), tasks)
    assert (resolved.metric, resolved.aggregation) == expected


@pytest.mark.parametrize(
    ("tasks", "select", "message"),
    [
        (MIXED, (None, "mean"), r"the tasks have different metrics, .* set a `metric`"),
        (MIXED, ("mae", None), "task 'a' has no metric 'mae'"),
        (BOTH, ("macro_f1", "b"), r"task 'b' has no metric 'macro_f1'.*\(metrics: accuracy\)"),
        (BOTH, ("accuracy", "c"), r"unknown 'c'.*\(known: overall, mean, relative_error_reduction, a, b\)"),
        (F1_ONLY, ("macro_f1", "overall"), "'macro_f1' cannot be pooled over tasks"),
        (F1_ONLY, (None, "overall"), "'macro_f1' cannot be pooled over tasks"),
        ([build_class_task("a", "confusion")], ("confusion", "a"), "'confusion' is not one number"),
        ([build_class_task("a", "confusion"), *F1_ONLY], (None, None), "'confusion' is not one number"),
    ],
)
def test_selections_that_cannot_be_computed_are_refused(tasks: list[FittedTask], select: Pair, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        resolve_selection(Selection(metric=select[0], aggregation=select[1]), tasks)


def test_inactive_tasks_take_part_in_the_defaults_only() -> None:
    assert resolve_selection(Selection(), F1_ONLY[:1], [BOTH[1]]) == Selection(
        metric=None, aggregation="relative_error_reduction"
    )
    assert resolve_selection(Selection(), NUMBERS[:1], NUMBERS[1:]) == Selection(
        metric="mae", aggregation="relative_error_reduction"
    )
    with pytest.raises(MtlError, match=r"the task 'b' is not trained, .* \(trained: a\)"):
        resolve_selection(Selection(aggregation="b"), NUMBERS[:1], NUMBERS[1:])


# ── calibration ──


def test_calibration_error_has_bins_of_a_fifteenth() -> None:
    """0.05 and 0.06 share the first bin, 0.07 is in the second one; their gaps have different signs."""

    def compute(*pairs: tuple[float, bool]) -> float | None:
        confidence, is_correct = zip(*pairs, strict=True)
        return compute_expected_calibration_error(torch.tensor(confidence), torch.tensor(is_correct))

    assert compute((0.05, True), (0.06, False)) == pytest.approx((0.95 - 0.06) / 2)
    assert compute((0.05, True), (0.07, False)) == pytest.approx((0.95 + 0.07) / 2)
    assert compute((1.0, False), (0.95, True)) == pytest.approx((1.0 - 0.05) / 2)  # 1 is in the last bin
    assert compute_expected_calibration_error(torch.zeros(0), torch.zeros(0, dtype=torch.bool)) is None


@pytest.mark.parametrize(("share", "expected"), [(0.75, 4 / math.log(3)), (0.6, 4 / math.log(1.5))])
def test_temperature_of_equal_logits(share: float, expected: float) -> None:
    """The likelihood is maximal where the confidence equals the share of correct labels."""
    scores = torch.tensor([[0.0, 4.0]]).expand(200, 2)
    assert fit_temperature(scores, (torch.arange(200) < 200 * share).long()) == pytest.approx(expected, rel=1e-4)


def test_temperature_has_bounds() -> None:
    scores = torch.tensor([[0.0, 1.0]]).expand(10, 2)
    assert fit_temperature(scores, torch.ones(10)) == pytest.approx(0.05)  # all correct: as confident as possible
    assert fit_temperature(scores, torch.arange(10) % 2) == pytest.approx(20)  # chance: as uncertain as possible
    assert fit_temperature(scores[:0], torch.zeros(0)) == 1.0


def test_threshold_is_not_at_the_edge_of_a_plateau_of_f1() -> None:
    """F1 is 1 from 0.32 to 0.41; 0.34 is the first threshold whose two neighbours on each side also have that F1."""
    probabilities = torch.tensor([0.315] * 10 + [0.415] * 10)
    is_present = torch.arange(20) >= 10
    threshold = fit_threshold(probabilities, is_present, default=0.5)
    assert threshold == 0.34
    assert fit_threshold(probabilities, torch.zeros(20, dtype=torch.bool), default=0.45) == 0.45


def test_threshold_is_between_a_fifth_and_seven_tenths() -> None:
    present = torch.ones(10, dtype=torch.bool)
    assert fit_threshold(torch.full((10,), 0.99), present, 0.5) == pytest.approx(0.2)
    late = torch.tensor([0.715] * 5 + [0.695] * 50)
    assert fit_threshold(late, torch.arange(55) < 5, 0.5) == pytest.approx(0.7)


def test_threshold_includes_equal_probabilities() -> None:
    """F1 is 2/3 up to 0.24, 1 at 0.25, and 0 above: its mean over five thresholds is largest around 0.23."""
    probabilities = torch.tensor([0.25] * 10 + [0.24] * 10)
    assert fit_threshold(probabilities, torch.arange(20) < 10, default=0.5) == pytest.approx(0.23)


def test_scores_of_a_task_and_its_baseline() -> None:
    """The most frequent training label is "a"; a label without a target does not count."""
    task = OneTask({"type": "classification", "metrics": ["accuracy", "confusion"]}, ["a", "a", "b"])
    outputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    score = task.compute_score(outputs, task.encode_targets(["a", "b", "b", None]))
    assert score.n == 3
    assert (score.metrics["accuracy"].value, score.metrics["accuracy"].baseline) == (2 / 3, 1 / 3)
    assert score.metrics["confusion"].value == [[1, 0], [1, 1]]
    assert score.metrics["confusion"].baseline == [[1, 0], [2, 0]]
    assert [metric.n for metric in score.metrics.values()] == [3, 3]
    assert (score.metrics["accuracy"].pooled, score.metrics["confusion"].scalar) == (True, False)


# ── metrics of torchmetrics ──


class MeanTarget(MetricSpec):
    """The mean of the targets, without sums."""

    type: Literal["mean-target"] = "mean-target"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        BUILT.append(MeanTargetMetric())
        return BUILT[-1]


class MeanTargetMetric(torchmetrics.Metric):
    full_state_update = False
    values: list[torch.Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("values", [], dist_reduce_fx="cat")
        self.inner = torchmetrics.MeanMetric()

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.values.append(targets)

    def compute(self) -> torch.Tensor:
        return torch.cat(self.values).float().mean()


BUILT: list[MeanTargetMetric] = []
SPACE = ClassSpace(["a", "b"])


def accumulate(spec: MetricSpec, *batches: list[float]) -> MetricAccumulator:
    accumulator = MetricAccumulator(spec, SPACE)
    for batch in batches:
        accumulator.update(torch.zeros(len(batch), 2), torch.tensor(batch))
    return accumulator


def test_metric_without_sums_is_computed_over_all_batches() -> None:
    accumulator = accumulate(MeanTarget(), [1.0, 0.0], [0.0])
    assert accumulator.sums is None
    assert accumulator.compute() == 1 / 3  # exactly, although torchmetrics computes with 32 bits
    assert MetricAccumulator(MeanTarget(), SPACE).compute() is None
    assert accumulate(MeanTarget(), [math.nan, 1.0]).compute() is None
    assert accumulate(MeanTarget(), [math.inf, 1.0]).compute() is None


def test_values_that_are_no_fractions_are_not_rounded() -> None:
    assert accumulate(MeanTarget(), [0.125, 0.25]).compute() == 0.1875
    assert accumulate(MeanTarget(), [1.0, 0.0, 0.0] * 1000).compute() == 1 / 3  # a fraction of 3,000
    assert accumulate(MeanTarget(), [0.500001, 0.500001]).compute() == pytest.approx(0.500001, abs=1e-7)

    class NotPooled(MeanTarget):
        pooled = False

    assert accumulate(NotPooled(), [1.0, 0.0, 0.0]).compute() == float(torch.tensor(1 / 3))


def test_metrics_of_torchmetrics_are_not_synchronized_over_ranks() -> None:
    """Every rank evaluates all labels."""
    accumulate(MeanTarget(), [1.0])
    metric = BUILT[-1]
    assert [one.distributed_available_fn() for one in (metric, metric.inner)] == [False, False]


def test_value_of_a_metric() -> None:
    metric = torchmetrics.MeanMetric()
    metric.update(torch.tensor([1.0, 0.0, 0.0]))
    assert compute_value(Accuracy(), metric, 3) == 1 / 3
    assert compute_value(Accuracy(), metric, 0) is None
    pair = torchmetrics.CatMetric()
    pair.update(torch.tensor([1.0, 2.0]))
    counts: Any = compute_value(Confusion(), pair, 2)
    assert counts == [1, 2]
    assert all(isinstance(count, int) for count in counts)
    with pytest.raises(
        MtlError, match=r"metric 'accuracy': returned a tensor of shape \(2,\), but its `scalar` declares"
    ):
        compute_value(Accuracy(), pair, 2)
    pair.update(torch.tensor([0.5]))
    numbers: Any = compute_value(Confusion(), pair, 2)
    assert numbers == [1.0, 2.0, 0.5]  # no counts


def test_subclass_with_another_metric_does_not_use_inherited_sums() -> None:
    class OtherMetric(Accuracy):
        def build(self, space: LabelSpace) -> torchmetrics.Metric:
            return MeanTargetMetric()

    class OtherSums(OtherMetric):
        def compute_label_sums(
            self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
        ) -> torch.Tensor | None:
            return torch.tensor([[3.0, 4.0]])

    assert has_sums(Accuracy())
    assert has_sums(OtherSums())
    assert not has_sums(OtherMetric())
    assert not has_sums(MeanTarget())
    assert accumulate(OtherMetric(), [1.0, 0.0]).compute() == 0.5
    assert accumulate(OtherSums(), [1.0]).compute() == 0.75


# ── scorer ──


def build_batch_outputs(task_targets: list[list[int]], predicted: list[list[int]], n_outputs: int) -> BatchOutputs:
    """Return the outputs of one head group with one column per task."""
    targets, codes = torch.tensor(task_targets), torch.tensor(predicted)
    outputs = torch.nn.functional.one_hot(codes, n_outputs).float() * 9
    return BatchOutputs(np.arange(len(targets)), Batch(None, [targets], [None]), [HeadOutput(outputs)])


def test_counts_of_tasks_and_of_their_baselines_are_pooled() -> None:
    """Outputs are the log-odds of presence and one logit per class; the baseline always predicts "x"."""
    group = group_tasks(
        [
            build_task(name, {"type": "detect-and-classify", "metrics": ["joint-f1"]}, "x", "y", "absent", "absent")
            for name in ("a", "b")
        ]
    )[0]
    scorer = Scorer([group])
    outputs = torch.tensor([[[9.0, 9.0, 0.0], [9.0, 0.0, 9.0]], [[9.0, 9.0, 0.0], [-9.0, 9.0, 0.0]]])
    targets = torch.tensor([[0, 1], [2, 0]])
    scorer.update(BatchOutputs(np.arange(2), Batch(None, [targets], [None]), [HeadOutput(outputs)]))
    scores = scorer.compute()
    assert scores.tasks["a"].metrics["joint_f1"].value == pytest.approx(2 / 3)
    assert scores.tasks["b"].metrics["joint_f1"].value == pytest.approx(2 / 3)
    overall = scores.overall.metrics["joint_f1"]
    assert overall.n == 4
    assert overall.value == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert overall.baseline == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert scores.auxiliary == {}


def test_auxiliary_tasks_are_not_pooled() -> None:
    main, auxiliary = (build_class_task(name, "accuracy") for name in ("a", "b"))
    group = TaskGroup([main, replace(auxiliary, auxiliary_spec=object())], Observed().build([main.space]))  # type: ignore[arg-type]
    scorer = Scorer([group])
    scorer.update(build_batch_outputs([[0, 0], [1, 1]], [[0, 1], [1, 0]], 2))
    scores = scorer.compute()
    assert (list(scores.tasks), list(scores.auxiliary)) == (["a"], ["b"])
    assert (scores.overall.n, scores.overall.metrics["accuracy"].value) == (2, 1.0)
    assert scores.auxiliary["b"].metrics["accuracy"].value == 0.0


def test_direction_and_number_of_labels_of_a_metric() -> None:
    task = OneTask({"type": "regression", "metrics": ["mae"]}, [1.0, 3.0])
    score = task.compute_score(torch.zeros(4, 1), task.encode_targets([1.0, 3.0, None, 3.0]))
    assert (score.n, score.metrics["mae"].n, score.metrics["mae"].higher_is_better) == (3, 3, False)


def test_labels_are_buffered_up_to_a_number_of_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 2 examples with 2 outputs; metrics are updated as soon as more than 4 values are buffered."""
    monkeypatch.setattr("mtl_core.evaluation.group_scorer.MAX_BUFFERED_VALUES", 4)
    n_labels: list[int] = []
    update = MetricAccumulator.update

    def record(self: MetricAccumulator, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        n_labels.append(len(targets))
        update(self, outputs, targets)

    monkeypatch.setattr(MetricAccumulator, "update", record)
    task = build_class_task("a", "accuracy")
    scorer = Scorer(group_tasks([task]))
    numbers = []
    for _ in range(5):
        scorer.update(build_batch_outputs([[0], [1]], [[0], [0]], 2))
        numbers.append(len(n_labels) // 2)  # of the network and the baseline
    assert numbers == [0, 1, 1, 2, 2]
    score = scorer.compute().tasks["a"]
    assert n_labels == [4, 4, 4, 4, 2, 2]
    assert (score.n, score.metrics["accuracy"].value) == (10, 0.5)
