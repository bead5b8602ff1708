"""Metrics of all tasks of a head group at once equal those of one task at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.builtins.metrics.macro_f1 import MacroF1
from mtl_core.builtins.task_kinds.runtime.binary import BinaryKind
from mtl_core.config.tasks import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_task import FittedTask, fit_task
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.errors import MtlError
from mtl_core.evaluation.group_accumulator import has_task_sums
from mtl_core.evaluation.inference import BatchOutputs
from mtl_core.evaluation.metric_accumulator import MetricAccumulator
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.scores import Scores, Value
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.heads import HeadOutput
from mtl_core.nn.task_kind import TaskKind

CLASS_METRICS = ["accuracy", "macro-f1", "confusion", "quadratic-kappa", "rank-distance", "log-loss"]
SUBSET = {"type": "restricted-accuracy", "name": "subset", "classes": ["c0", "c1"]}
TEN = [f"c{number}" for number in range(10)]
NUMBER_METRICS = ["mae", "rmse", "r2", "abs-rel"]
DETECTION_METRICS = ["detection-f1", "detection-precision", "detection-recall", "joint-f1", *CLASS_METRICS]
KINDS: dict[str, dict[str, Any]] = {
    "binary": {"type": "binary", "classes": ["c0", "c1"], "metrics": ["roc-auc", "average-precision", *CLASS_METRICS]},
    "two classes": {
        "type": "classification",
        "classes": TEN[:2],
        "metrics": ["roc-auc", "average-precision", "log-loss"],
    },
    "three classes": {"type": "classification", "classes": TEN[:3], "metrics": [*CLASS_METRICS, SUBSET]},
    "ten classes": {"type": "classification", "classes": TEN, "metrics": [*CLASS_METRICS, SUBSET]},
    "ordinal": {"type": "ordinal", "classes": TEN[:4], "metrics": CLASS_METRICS},
    "detection": {"type": "detect-and-classify", "classes": TEN[:2], "metrics": DETECTION_METRICS},
    "multi-label": {"type": "multi-label", "classes": TEN[:3], "metrics": ["micro-f1", "exact-match"]},
    "regression": {"type": "regression", "metrics": [*NUMBER_METRICS, "spearman"]},
    "vectors": {"type": "regression", "outputs": 2, "metrics": [*NUMBER_METRICS, "angle-error"]},
}
N_TASKS = 6


def draw_label(kind: dict[str, Any], classes: Sequence[str], generator: np.random.Generator) -> Any:
    if kind["type"] == "multi-label":
        return [name for name in classes if generator.random() < 0.4]
    if kind["type"] != "regression":
        return str(generator.choice([*classes, "absent"] if kind["type"] == "detect-and-classify" else classes))
    numbers = generator.integers(-3, 4, size=kind.get("outputs", 1)) / 2
    return numbers.tolist() if len(numbers) > 1 else float(numbers[0])


def build_tasks(kind: dict[str, Any], generator: np.random.Generator) -> list[FittedTask]:
    """Return tasks with different training labels and calibration; one of them has no training label, if possible."""
    tasks = []
    for number in range(N_TASKS):
        config = NamedTask.model_validate({"name": f"t{number}", "kind": kind, "head": "linear"})
        n_training = 0 if number == 1 and kind["type"] != "regression" else 5
        training = [draw_label(kind, kind.get("classes", ()), generator) for _ in range(n_training)]
        if kind["type"] == "detect-and-classify":
            training += ["absent", "c0"]  # which it needs
        task = fit_task(config, LabelStatistics(training, training))
        task.kind.calibration = {
            name: float(generator.uniform(0.3, 3)) for name in ("temperature", "detection_temperature")
        } | {"threshold": float(generator.uniform(0.2, 0.8))}
        tasks.append(task)
    return tasks


def draw_batches(
    kind: dict[str, Any], tasks: Sequence[FittedTask], generator: np.random.Generator
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return outputs and targets: some tasks have no labels, one class only, or equal outputs; some outputs are NaN."""
    batches = []
    label_rates = generator.choice([0.0, 0.5, 1.0], size=N_TASKS)
    n_classes = generator.integers(1, 1 + len(kind.get("classes", "x")), size=N_TASKS)
    for size in generator.integers(1, 12, size=3).tolist():
        columns = []
        for task, rate, count in zip(tasks, label_rates, n_classes, strict=True):
            classes = list(kind.get("classes", ()))[:count]
            labels = [draw_label(kind, classes, generator) if generator.random() < rate else None for _ in range(size)]
            columns.append(torch.from_numpy(task.space.encode(labels, ["row"] * size)))
        n_outputs = tasks[0].kind.n_outputs
        outputs = torch.from_numpy(generator.integers(-3, 4, size=(size, N_TASKS, n_outputs)) / 2).float()
        outputs[:, 2] = outputs[:1, 2]
        if generator.random() < 0.2:
            outputs[0, 3] = torch.nan
        batches.append((outputs, torch.stack(columns, dim=1)))
    return batches


def score(groups: Sequence[TaskGroup], batches: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Scores:
    """Score tasks that are columns of the batches, in the order of the groups."""
    scorer = Scorer(groups)
    for outputs, targets in batches:
        columns = torch.split(torch.arange(outputs.shape[1]), [len(group.tasks) for group in groups])
        batch = Batch(None, [targets[:, column] for column in columns], [None] * len(groups))
        heads = [HeadOutput(outputs[:, column]) for column in columns]
        scorer.update(BatchOutputs(np.arange(len(outputs)), batch, heads))
    return scorer.compute()


def assert_same_value(value: Value, expected: Value) -> None:
    if value is None or expected is None or isinstance(expected, list):
        assert value == expected
    else:
        assert isinstance(value, float)
        assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def assert_same_scores(together: Scores, separately: Scores) -> None:
    assert together.tasks.keys() == separately.tasks.keys()
    for name, task_score in together.tasks.items():
        expected = separately.tasks[name]
        assert task_score.n == expected.n
        assert list(task_score.metrics) == list(expected.metrics)
        for key, metric in task_score.metrics.items():
            assert metric.n == expected.metrics[key].n, key
            assert_same_value(metric.value, expected.metrics[key].value)
            assert_same_value(metric.baseline, expected.metrics[key].baseline)
    for key, metric in together.overall.metrics.items():
        assert_same_value(metric.value, separately.overall.metrics[key].value)
        assert_same_value(metric.baseline, separately.overall.metrics[key].baseline)


def separate(groups: Sequence[TaskGroup]) -> list[TaskGroup]:
    return [TaskGroup([task], group.mask) for group in groups for task in group.tasks]


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), buffered=st.sampled_from([0, 20, 10_000]))
def test_all_tasks_at_once_equal_one_task_at_a_time(name: str, seed: int, buffered: int) -> None:
    generator = np.random.default_rng(seed)
    tasks = build_tasks(KINDS[name], generator)
    groups = group_tasks(tasks)
    assert len(groups) == 1
    batches = draw_batches(KINDS[name], tasks, generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtl_core.evaluation.group_scorer.MAX_BUFFERED_VALUES", buffered)
        patch.setattr("mtl_core.builtins.metrics.rank_statistics.MAX_RANKED_LABELS", buffered)
        together = score(groups, batches)
        assert_same_scores(together, score(separate(groups), batches))
        # The kinds convert the outputs of one task at a time, too.
        patch.setattr("mtl_core.evaluation.prepared_labels.prepare_group", TaskKind.prepare_group_for_metrics)
        patch.setattr("mtl_core.evaluation.prepared_labels.compute_class_logits", compute_class_logits_per_task)
        assert_same_scores(together, score(separate(groups), batches))


def compute_class_logits_per_task(kinds: Sequence[TaskKind], labels: GroupLabels) -> GroupLabels:
    logits = TaskKind.compute_group_class_logits(kinds, labels)
    assert logits is not None
    return labels.replace(logits)


@pytest.mark.parametrize("name", KINDS)
def test_no_metric_of_a_group_is_computed_per_task(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Except accuracies over a subset of classes, whose codes depend on the label space, if the spaces differ."""
    generator = np.random.default_rng(0)
    tasks = build_tasks(KINDS[name], generator)
    batches = draw_batches(KINDS[name], tasks, generator)

    def refuse(self: MetricAccumulator, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        raise AssertionError(f"{self._spec.type} is computed per task")

    monkeypatch.setattr(MetricAccumulator, "update", refuse)
    score(group_tasks(tasks), batches)
    with pytest.raises(AssertionError, match="is computed per task"):
        score(separate(group_tasks(tasks)), batches)


def test_metrics_that_depend_on_the_label_space_are_computed_per_task() -> None:
    kind = {"type": "classification", "metrics": [{**SUBSET, "classes": ["a", "b"]}, "accuracy"]}
    tasks = []
    for name, labels in (("t0", ["a", "b", "z"]), ("t1", ["0", "a", "b"])):
        config = NamedTask.model_validate({"name": name, "kind": kind, "head": "linear"})
        tasks.append(fit_task(config, LabelStatistics(labels, labels)))
    outputs = torch.tensor([[[1.0, 0, 9], [9, 1, 0]], [[0.0, 1, 9], [9, 0, 1]]])
    targets = torch.tensor([[0, 1], [1, 1]])
    scores = score(group_tasks(tasks), [(outputs, targets)])
    assert [scores.tasks[name].metrics["subset"].value for name in ("t0", "t1")] == [1.0, 0.5]
    assert [scores.tasks[name].metrics["accuracy"].value for name in ("t0", "t1")] == [0.0, 0.0]


class HalfSums(Accuracy):
    """Its sums differ from those of the accuracy, and it inherits the sums of all tasks at once."""

    def compute_label_sums(self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return half the sums."""
        sums = super().compute_label_sums(space, outputs, targets)
        assert sums is not None
        return sums * torch.tensor([0.5, 1.0])


class OtherKind(BinaryKind):
    """Predicts the opposite; it inherits the preparation of all tasks at once."""

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the probabilities in the opposite order."""
        return self.compute_probabilities(outputs).flip(1), targets


def test_subclasses_do_not_use_inherited_computations_of_all_tasks() -> None:
    assert has_task_sums(Accuracy())
    assert has_task_sums(MacroF1())
    assert not has_task_sums(HalfSums())
    generator = np.random.default_rng(1)
    tasks = build_tasks(KINDS["binary"], generator)
    batches = [(torch.ones(4, N_TASKS, 1), torch.ones(4, N_TASKS, dtype=torch.long))]
    values = []
    for metric in (Accuracy(), HalfSums()):
        for task in tasks:
            task.kind.metrics = [metric]
        values.append(score(group_tasks(tasks), batches).tasks["t0"].metrics["accuracy"].value)
    for task in tasks:
        task.kind.__class__ = OtherKind
    values.append(score(group_tasks(tasks), batches).tasks["t0"].metrics["accuracy"].value)
    assert values == [1.0, 0.5, 0.0]


def test_labels_are_sorted_by_task() -> None:
    task_indices = torch.tensor([2, 0, 2, 0, 0])
    labels = GroupLabels.sort(torch.arange(5).unsqueeze(1), torch.arange(5) * 10, task_indices, 4)
    assert labels.targets.tolist() == [10, 30, 40, 0, 20]
    assert labels.counts.tolist() == [3, 0, 2, 0]
    assert labels.task_indices.tolist() == [0, 0, 0, 2, 2]
    assert [targets.tolist() for _, targets in labels.split_tasks()] == [[10, 30, 40], [], [0, 20], []]
    assert labels.sum_by_task(labels.targets.unsqueeze(1)).tolist() == [[80.0], [0.0], [20.0], [0.0]]
    selected = labels.select(torch.tensor([True, False, False, False, False]))
    assert (selected.targets.tolist(), selected.counts.tolist()) == ([10], [1, 0, 0, 0])
    merged = GroupLabels.merge([labels, selected])
    assert merged.targets.tolist() == [10, 30, 40, 10, 0, 20]
    assert [chunk.targets.tolist() for chunk in labels.chunk_tasks(2)] == [[10, 30, 40], [0, 20]]
    assert [chunk.counts.tolist() for chunk in labels.chunk_tasks(2)] == [[3], [0, 2, 0]]
    assert labels.replace(labels.outputs + 1).task_indices is labels.task_indices


def test_a_kind_without_probabilities_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BinaryKind, "compute_class_logits", TaskKind.compute_class_logits)
    config = NamedTask.model_validate({"name": "t", "kind": KINDS["binary"], "head": "linear"})
    with pytest.raises(
        MtlError, match="task 't': the metric 'roc-auc' needs probabilities of classes, which this kind"
    ):
        fit_task(config, LabelStatistics(["c0", "c1"], ["c0", "c1"]))
