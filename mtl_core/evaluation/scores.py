"""Metrics from outputs and targets under the label mask, with counts; undefined metrics are None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torchmetrics
from numpy.typing import NDArray

from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import BatchOutputs, labelled_outputs
from mtl_core.specs import MetricSpec
from mtl_core.training.groups import LearnedTask, TaskGroup

Value = float | list[list[int]] | None
Sums = NDArray[np.float64] | None
GATHERED_NUMBERS = 2_000_000
"""Number of output values that a task buffers before it updates its metrics."""


@dataclass(frozen=True)
class FigureSums:
    """Sums over labels from which a metric is computed.

    Attributes:
        spec: The metric, which computes its value from the sums.
        value: `(sums,)`, float64: sums for the network.
        baseline: `(sums,)`, float64: sums for the baseline; None without a baseline.
    """

    spec: MetricSpec
    value: NDArray[np.float64]
    baseline: NDArray[np.float64] | None


@dataclass(frozen=True)
class Figure:
    """The value of one metric.

    Attributes:
        value: The value; None if it is undefined.
        n: Number of labels.
        baseline: The value for the baseline (the majority class of the training labels).
        pooled: Whether values are averaged over tasks, weighted by the number of labels.
        scalar: Whether the value is one number.
        higher_is_better: Whether higher values are better.
        sums: Sums that are added over tasks instead of a mean of values; None if there are none.
    """

    value: Value
    n: int
    baseline: Value
    pooled: bool
    scalar: bool = True
    higher_is_better: bool = True
    sums: "FigureSums | None" = None

    @property
    def gain(self) -> float | None:
        """The relative error reduction against the baseline; None if it is undefined.

        The error of a metric for which higher is better is 1 minus its value.
        """
        if not isinstance(self.value, float) or not isinstance(self.baseline, float):
            return None
        error, before = (
            (1 - self.value, 1 - self.baseline) if self.higher_is_better else (self.value, self.baseline)
        )
        return (before - error) / before if before > 0 else None


@dataclass(frozen=True)
class TaskScore:
    """The scores of one task: the number of valid labels, and metric name to value."""

    n: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Scores:
    """The scores on one split.

    Attributes:
        tasks: Name of each main task to its scores.
        overall: Metrics pooled over all main tasks.
        auxiliary: Name of each auxiliary task to its scores.
    """

    tasks: Mapping[str, TaskScore]
    overall: TaskScore
    auxiliary: Mapping[str, TaskScore] = field(default_factory=dict)


class Scorer:
    """Computes every metric of every task from batches of outputs.

    Args:
        groups: The head groups.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        self._tasks = {task.name: _TaskScorer(task) for group in groups for task in group.tasks}

    def update(self, said: BatchOutputs) -> None:
        """Update the metrics with a batch."""
        for task, outputs, targets, _ in labelled_outputs(self._groups, said):
            self._tasks[task.name].update(outputs, targets)

    def scores(self) -> Scores:
        """Compute the scores of all batches so far."""
        main: dict[str, TaskScore] = {}
        auxiliary: dict[str, TaskScore] = {}
        for group in self._groups:
            for task in group.tasks:
                home = main if task.auxiliary is None else auxiliary
                home[task.name] = self._tasks[task.name].score()
        return Scores(main, pool(list(main.values())), auxiliary)


class _TaskScorer:
    """The metrics of one task. Labels are buffered, so that metrics are updated with few large batches."""

    def __init__(self, task: LearnedTask) -> None:
        self._gathered: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._numbers = 0
        self._metrics = [_Measured(metric, task) for metric in task.kind.metrics]

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        self._gathered.append((outputs, targets))
        self._numbers += outputs.numel()
        if self._numbers > GATHERED_NUMBERS:
            self._flush()

    def _flush(self) -> None:
        if not self._gathered:
            return
        outputs = torch.cat([said for said, _ in self._gathered])
        targets = torch.cat([wanted for _, wanted in self._gathered])
        self._gathered, self._numbers = [], 0
        for metric in self._metrics:
            metric.update(outputs, targets)

    def score(self) -> TaskScore:
        self._flush()
        figures = {metric.spec.key(): metric.figure() for metric in self._metrics}
        # The number of labels of a task is that of its main metric, the first one.
        return TaskScore(next(iter(figures.values())).n, figures)


class _Measured:
    """One metric of one task, for the network and for the baseline."""

    def __init__(self, spec: MetricSpec, task: LearnedTask) -> None:
        self.spec = spec
        self._task = task
        self._network = _on_its_own(spec.build(task.space))
        self._baseline = _on_its_own(spec.build(task.space)) if task.kind.baseline is not None else None
        self._n = 0
        self._sums: Sums = None
        self._baseline_sums: Sums = None

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        kind = self._task.kind
        rows = self.spec.scored(self._task.space, targets)
        n = int(rows.sum())
        if not n:
            return
        self._n += n
        said = kind.for_metrics(outputs[rows], targets[rows])
        self._network.update(*said)
        self._sums = self._with(self._sums, *said)
        if self._baseline is not None:
            known = kind.for_metrics(kind.baseline_outputs(len(targets))[rows], targets[rows])
            self._baseline.update(*known)
            self._baseline_sums = self._with(self._baseline_sums, *known)

    def _with(self, sums: Sums, outputs: torch.Tensor, targets: torch.Tensor) -> Sums:
        """Add labels to the sums for pooling over tasks, if the metric is pooled by sums."""
        added = self.spec.label_sums(self._task.space, outputs, targets) if self.spec.pooled_by_sums else None
        if added is None:
            return sums
        new: NDArray[np.float64] = added.double().sum(dim=0).numpy()
        return new if sums is None else sums + new

    def figure(self) -> Figure:
        spec = self.spec
        value = value_of(spec, self._network, self._n)
        compared = value_of(spec, self._baseline, self._n) if self._baseline is not None else None
        sums = FigureSums(spec, self._sums, self._baseline_sums) if self._sums is not None else None
        return Figure(value, self._n, compared, spec.pooled, spec.scalar, spec.higher_is_better, sums)


def _on_its_own(metric: torchmetrics.Metric) -> torchmetrics.Metric:
    """Disable the synchronization of a metric over ranks: every rank evaluates all labels."""
    for part in metric.modules():
        if isinstance(part, torchmetrics.Metric):
            part.distributed_available_fn = _nobody_else
    return metric


def _nobody_else() -> bool:
    return False


def value_of(spec: MetricSpec, metric: torchmetrics.Metric, n: int) -> Value:
    """Compute a metric over n labels; None without labels, or if the value is undefined.

    Raises:
        MtlError: If the value is not one number although the spec declares it `scalar`.
    """
    if not n:
        return None
    result = metric.compute()
    if result.ndim == 0 and not torch.isfinite(result):
        return None
    if result.ndim and spec.scalar:
        raise MtlError(
            f"metric '{spec.type}': returned a tensor of shape {tuple(result.shape)}, but its `scalar` "
            "declares one number"
        )
    if result.ndim:
        matrix: Value = result.tolist()
        return matrix
    return _exact_share(float(result), n) if spec.pooled else float(result)


def _exact_share(value: float, n: int) -> float:
    """Undo the float32 rounding of a fraction of n labels, so that equal results are equal numbers."""
    count = round(value * n)
    return count / n if abs(value * n - count) < 1e-6 * n else value


def pool(scores: Sequence[TaskScore]) -> TaskScore:
    """Pool scores over tasks: each label counts once, so tasks with more labels count more."""
    names = list(dict.fromkeys(name for score in scores for name, f in score.figures.items() if f.pooled or f.sums))
    figures = {name: _pooled([score.figures[name] for score in scores if name in score.figures]) for name in names}
    return TaskScore(sum(score.n for score in scores), figures)


def _pooled(parts: Sequence[Figure]) -> Figure:
    n = sum(part.n for part in parts)
    counted = [part.sums for part in parts if part.sums is not None]
    if not counted:
        value = _weighted([(part.value, part.n) for part in parts])
        return Figure(value, n, _weighted([(part.baseline, part.n) for part in parts]), pooled=True)
    spec = counted[0].spec
    value = _of_sums(spec, [part.value for part in counted])
    known = [part.baseline for part in counted if part.baseline is not None]
    return Figure(value, n, _of_sums(spec, known), pooled=True, higher_is_better=spec.higher_is_better)


def _of_sums(spec: MetricSpec, parts: Sequence[NDArray[np.float64]]) -> float | None:
    if not parts:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(spec.of_sums(np.sum(parts, axis=0)))
    return value if np.isfinite(value) else None


def _weighted(parts: Sequence[tuple[Value, int]]) -> float | None:
    known = [(value, n) for value, n in parts if isinstance(value, float) and n]
    total = sum(n for _, n in known)
    return sum(value * n for value, n in known) / total if total else None
