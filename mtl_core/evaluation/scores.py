"""From outputs and targets to figures, under the mask, with counts, undefined ones named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.specs import MetricSpec
from mtl_core.training.groups import LearnedTask, TaskGroup

Value = float | list[list[int]] | None


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        value: The figure; None if it is undefined.
        n: Labels that it was measured on.
        baseline: The same figure of the baseline (the majority class of the training labels).
        pooled: Whether tasks are put together by a mean weighted with their counts.
        scalar: Whether the figure is one number.
    """

    value: Value
    n: int
    baseline: Value
    pooled: bool
    scalar: bool = True


@dataclass(frozen=True)
class TaskScore:
    """What was measured for one task: its valid labels, and each figure by name."""

    n: int
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Scores:
    """What was measured on one part of the data.

    Attributes:
        tasks: Task name to its score.
        overall: The pooled figures of all tasks together.
    """

    tasks: Mapping[str, TaskScore]
    overall: TaskScore


def score(groups: Sequence[TaskGroup], outputs: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]) -> Scores:
    """Measure every metric of every task.

    Args:
        groups: The groups of tasks.
        outputs: `(examples, tasks, outputs)` a group.
        targets: `(examples, tasks, ...)` a group.
    """
    tasks: dict[str, TaskScore] = {}
    for group, said, wanted in zip(groups, outputs, targets, strict=True):
        mask = group.mask(wanted)
        for column, task in enumerate(group.tasks):
            rows = mask[:, column]
            tasks[task.name] = _score_task(task, said[rows, column], wanted[rows, column])
    return Scores(tasks, pool(list(tasks.values())))


def _score_task(task: LearnedTask, outputs: torch.Tensor, targets: torch.Tensor) -> TaskScore:
    baseline = task.kind.baseline_outputs(len(targets)) if task.kind.baseline is not None else None
    figures = {}
    for metric in task.kind.metrics:
        rows = metric.scored(task.space, targets)
        n = int(rows.sum())
        value = _measure(metric, task, outputs[rows], targets[rows]) if n else None
        compared = _measure(metric, task, baseline[rows], targets[rows]) if n and baseline is not None else None
        figures[metric.key()] = Figure(value, n, compared, metric.pooled, metric.scalar)
    return TaskScore(len(targets), figures)


def _measure(metric: MetricSpec, task: LearnedTask, outputs: torch.Tensor, targets: torch.Tensor) -> Value:
    measure = metric.build(task.space)
    measure.update(outputs, targets)
    result = measure.compute()
    if result.ndim == 0 and not torch.isfinite(result):
        return None
    if result.ndim:
        matrix: Value = result.tolist()
        return matrix
    return _exact_share(float(result), len(targets)) if metric.pooled else float(result)


def _exact_share(value: float, n: int) -> float:
    """Undo the rounding of 32 bits in a share of n labels, so that equal results are equal numbers."""
    count = round(value * n)
    return count / n if abs(value * n - count) < 1e-6 * n else value


def pool(scores: Sequence[TaskScore]) -> TaskScore:
    """Put tasks together: each label counts once, so big tasks count more."""
    names = list(dict.fromkeys(name for score in scores for name, f in score.figures.items() if f.pooled))
    figures = {}
    for name in names:
        parts = [score.figures[name] for score in scores if name in score.figures]
        figures[name] = Figure(
            _weighted([(part.value, part.n) for part in parts]),
            sum(part.n for part in parts),
            _weighted([(part.baseline, part.n) for part in parts]),
            pooled=True,
        )
    return TaskScore(sum(score.n for score in scores), figures)


def _weighted(parts: Sequence[tuple[Value, int]]) -> float | None:
    known = [(value, n) for value, n in parts if isinstance(value, float) and n]
    total = sum(n for _, n in known)
    return sum(value * n for value, n in known) / total if total else None
