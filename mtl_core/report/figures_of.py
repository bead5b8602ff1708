"""The figures of tasks as `metrics.json` lays them out, read back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_core.report.intervals import wilson


@dataclass(frozen=True)
class Measured:
    """One figure that is one number.

    Attributes:
        name: The metric.
        value: None if it is undefined.
        baseline: The same figure of the baseline; None if it is undefined.
        n: Labels that it was measured on.
        share: Whether it is a share of these labels.
        lower_is_better: Which way is down.
    """

    name: str
    value: float | None
    baseline: float | None
    n: int
    share: bool
    lower_is_better: bool

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval (Wilson) if it is a share of whole labels."""
        if not self.share or self.value is None or not self.n or not 0 <= self.value <= 1:
            return None
        correct = self.value * self.n
        return wilson(correct, self.n) if abs(correct - round(correct)) < 1e-6 * self.n else None

    @property
    def better(self) -> bool | None:
        """Whether it is better than the baseline; None if either is undefined."""
        if self.value is None or self.baseline is None:
            return None
        return self.value < self.baseline if self.lower_is_better else self.value > self.baseline

    @property
    def gain(self) -> float | None:
        """The share of the baseline's error that is gone; None where that is undefined."""
        if self.value is None or self.baseline is None:
            return None
        error, before = (self.value, self.baseline) if self.lower_is_better else (1 - self.value, 1 - self.baseline)
        return (before - error) / before if before > 0 else None


@dataclass(frozen=True)
class TaskFigures:
    """What was measured for one task, or for all together.

    Attributes:
        name: The task.
        n: Labels that count.
        correct: How many were predicted exactly, where that is told.
        measured: Figures that are one number; the first is the main one.
        confusion: A row a true class, a column a predicted one; None if it was not measured.
    """

    name: str
    n: int
    correct: int | None
    measured: Sequence[Measured]
    confusion: Sequence[Sequence[int]] | None

    @property
    def main(self) -> Measured | None:
        """The main figure."""
        return self.measured[0] if self.measured else None

    def named(self, metric: str) -> Measured | None:
        """The figure of a metric."""
        return next((one for one in self.measured if one.name == metric), None)


@dataclass(frozen=True)
class PartFigures:
    """What was measured on one part of the data: main tasks, all of them together, auxiliary tasks."""

    part: str
    examples: int
    tasks: Sequence[TaskFigures]
    overall: TaskFigures
    auxiliary: Sequence[TaskFigures]

    @property
    def alike(self) -> str | None:
        """The main metric, if all tasks have the same."""
        names = {task.main.name if task.main else None for task in self.tasks}
        return next(iter(names)) if len(names) == 1 else None


def task_figures(name: str, report: Mapping[str, Any], lower_is_better: Collection[str]) -> TaskFigures:
    """Read one task's entry of `metrics.json`.

    Raises:
        KeyError, TypeError, ValueError: If it is none.
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
