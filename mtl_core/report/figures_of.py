"""The metrics of tasks as stored in `metrics.json`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_core.report.intervals import wilson


@dataclass(frozen=True)
class Measured:
    """The value of one scalar metric.

    Attributes:
        name: The name of the metric.
        value: The value; None if it is undefined.
        baseline: The value of the baseline; None if it is undefined.
        n: Number of labels that the metric is computed on.
        share: Whether the metric is a proportion of these labels.
        lower_is_better: Whether smaller values are better.
    """

    name: str
    value: float | None
    baseline: float | None
    n: int
    share: bool
    lower_is_better: bool

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval; None if the value is not a proportion with a whole number of labels."""
        if not self.share or self.value is None or not self.n or not 0 <= self.value <= 1:
            return None
        correct = self.value * self.n
        return wilson(correct, self.n) if abs(correct - round(correct)) < 1e-6 * self.n else None

    @property
    def better(self) -> bool | None:
        """Whether the value is better than the baseline; None if either is undefined."""
        if self.value is None or self.baseline is None:
            return None
        return self.value < self.baseline if self.lower_is_better else self.value > self.baseline

    @property
    def gain(self) -> float | None:
        """The relative error reduction over the baseline; None if it is undefined."""
        if self.value is None or self.baseline is None:
            return None
        error, before = (self.value, self.baseline) if self.lower_is_better else (1 - self.value, 1 - self.baseline)
        return (before - error) / before if before > 0 else None


@dataclass(frozen=True)
class TaskFigures:
    """The metrics of one task, or of all tasks pooled.

    Attributes:
        name: The name of the task.
        n: Number of labels that count.
        correct: Number of labels that are predicted exactly; None if it is not reported.
        measured: The scalar metrics; the first is the main one.
        confusion: The confusion matrix, true classes in rows, predicted classes in columns; None without one.
    """

    name: str
    n: int
    correct: int | None
    measured: Sequence[Measured]
    confusion: Sequence[Sequence[int]] | None

    @property
    def main(self) -> Measured | None:
        """The main metric; None without metrics."""
        return self.measured[0] if self.measured else None

    def named(self, metric: str) -> Measured | None:
        """Return the metric with this name; None if there is none."""
        return next((one for one in self.measured if one.name == metric), None)


@dataclass(frozen=True)
class PartFigures:
    """The metrics on one split: of each main task, of all main tasks pooled, of each auxiliary task."""

    part: str
    examples: int
    tasks: Sequence[TaskFigures]
    overall: TaskFigures
    auxiliary: Sequence[TaskFigures]

    @property
    def alike(self) -> str | None:
        """The name of the main metric if all tasks share it; None otherwise."""
        names = {task.main.name if task.main else None for task in self.tasks}
        return next(iter(names)) if len(names) == 1 else None


def task_figures(name: str, report: Mapping[str, Any], lower_is_better: Collection[str]) -> TaskFigures:
    """Parse the entry of one task in `metrics.json`.

    Raises:
        KeyError, TypeError, ValueError: If the entry is invalid.
    """
    n = int(report["n"])
    measured = []
    for metric, value in report.items():
        share = f"majority_{metric}" in report
        if not share and f"baseline_{metric}" not in report:
            continue
        baseline = report[f"majority_{metric}" if share else f"baseline_{metric}"]
        lower = metric in lower_is_better
        measured.append(
            Measured(metric, _number(value), _number(baseline), int(report.get(f"{metric}_n", n)), share, lower)
        )
    correct = report.get("correct")
    return TaskFigures(name, n, None if correct is None else int(correct), measured, report.get("confusion"))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
