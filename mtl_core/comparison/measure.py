"""Compute scores with intervals, differences, and the mean relative gain, from the outputs of variants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtl_core.comparison.bootstrap import Floats, draw_examples, draw_seeds, interval
from mtl_core.comparison.outputs import Said
from mtl_core.comparison.scores import SeedScores
from mtl_core.comparison.summary import OVERALL, Difference, Estimate, Gain, Kind, Verdict
from mtl_core.specs import MetricSpec

Pooling = Literal["overall", "mean", "none"]
"""Aggregation over tasks: every label has equal weight, every task has equal weight, or no aggregation."""


@dataclass(frozen=True)
class Contender:
    """A variant with the outputs of its networks.

    Attributes:
        name: Its name.
        kind: Its kind.
        said: Task to outputs, per seed and fold.
    """

    name: str
    kind: Kind
    said: Sequence[Sequence[Mapping[str, Said]]]


@dataclass(frozen=True)
class Figure:
    """A score per seed.

    Attributes:
        seeds: `(seeds,)`: the score of each seed; NaN where it is undefined.
        resampled: `(resamples, seeds)`: the score on resampled examples; NaN where it is undefined.
    """

    seeds: Floats
    resampled: Floats

    def __sub__(self, other: "Figure") -> "Figure":
        """Return the difference per seed and resample."""
        return Figure(self.seeds - other.seeds, self.resampled - other.resampled)


class Measurement:
    """The scores of all variants on the same resamples.

    Args:
        contenders: The variants, with outputs for the same labels.
        metrics: Name of each task to its metric.
        pooling: The aggregation over tasks.
        examples: Ids of all examples that were scored with any seed.
        resamples: Number of bootstrap resamples.
        seed: The seed of the resampling.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        metrics: Mapping[str, MetricSpec],
        pooling: Pooling,
        examples: Sequence[str],
        resamples: int,
        seed: int,
    ) -> None:
        self._metrics = metrics
        self._pooling = pooling
        self._examples = len(examples)
        places = {one: place for place, one in enumerate(examples)}
        scores = {
            contender.name: {
                name: [SeedScores(spec, [fold[name] for fold in folds], places) for folds in contender.said]
                for name, spec in metrics.items()
            }
            for contender in contenders
        }
        self._shares = draw_seeds(len(contenders[0].said), resamples, seed)
        self._figures, self._drawn_counts = _resample(scores, draw_examples(len(examples), resamples, seed))
        first = next(iter(scores.values()))
        self.counts = {name: np.array([one.n for one in first[name]]) for name in metrics}
        for tasks in self._figures.values():
            if (overall := self._overall(tasks)) is not None:
                tasks[OVERALL] = overall

    def figures(self, name: str) -> Mapping[str, Figure]:
        """Return the scores of one variant: of each task, and `overall` if tasks can be aggregated."""
        return self._figures[name]

    def estimate(self, figure: Figure) -> Estimate:
        """Estimate the mean of a score over seeds, with its interval."""
        found = interval(figure.seeds, figure.resampled, self._shares, self._examples)
        return Estimate(
            found.mean, found.low, found.high, [None if np.isnan(x) else float(x) for x in figure.seeds]
        )

    def differences(self, name: str, other: str) -> dict[str, Difference]:
        """Compute the differences between the scores of two variants, per task."""
        return {
            task: self._difference(figure - self._figures[other][task], self.higher_is_better(task))
            for task, figure in self._figures[name].items()
        }

    def gain(self, name: str, reference: str) -> Gain:
        """Compute the mean over tasks of the relative gain over the reference, in percent (Maninis et al., 2019).

        Differences are divided by the mean of the reference's score over seeds. Tasks whose score is undefined, or
        0 for the reference, are excluded.
        """
        parts = []
        for task, spec in self._metrics.items():
            ours, theirs = self._figures[name][task], self._figures[reference][task]
            base = abs(theirs.seeds.mean())
            if np.isnan(ours.seeds).any() or np.isnan(base) or base == 0:
                continue
            sign = 100.0 if spec.higher_is_better else -100.0
            further = np.abs(theirs.resampled.mean(axis=1, keepdims=True))
            with np.errstate(divide="ignore", invalid="ignore"):
                resampled = sign * (ours - theirs).resampled / np.where(further > 0, further, np.nan)
            parts.append(Figure(sign * (ours - theirs).seeds / base, resampled))
        if not parts:
            return Gain(None, None, None)
        mean = Figure(
            np.mean([part.seeds for part in parts], axis=0), np.mean([part.resampled for part in parts], axis=0)
        )
        found = interval(mean.seeds, mean.resampled, self._shares, self._examples)
        return Gain(found.mean, found.low, found.high)

    def higher_is_better(self, task: str) -> bool:
        """Return whether higher values of a task's metric are better."""
        one = next(iter(self._metrics.values()))
        return self._metrics.get(task, one).higher_is_better

    def _difference(self, figure: Figure, higher_is_better: bool) -> Difference:
        found = interval(figure.seeds, figure.resampled, self._shares, self._examples)
        return Difference(found.mean, found.low, found.high, verdict(found.low, found.high, higher_is_better))

    def _overall(self, tasks: Mapping[str, Figure]) -> Figure | None:
        """Aggregate the scores over tasks."""
        if self._pooling == "none":
            return None
        alike = self._pooling == "mean"
        seeds = _weighted_mean([(figure.seeds, self.counts[name]) for name, figure in tasks.items()], alike)
        pairs = [(figure.resampled, self._drawn_counts[name]) for name, figure in tasks.items()]
        return Figure(seeds, _weighted_mean(pairs, alike))


def verdict(low: float | None, high: float | None, higher_is_better: bool) -> Verdict:
    """Return the verdict on a difference from its interval."""
    if low is None or high is None:
        return "undefined"
    if low <= 0 <= high:
        return "noise"
    return "gained" if (low > 0) == higher_is_better else "suffered"


_Scores = Mapping[str, Mapping[str, Sequence[SeedScores]]]


def _resample(scores: _Scores, draws: Iterable[Floats]) -> tuple[dict[str, dict[str, Figure]], dict[str, Floats]]:
    """Compute every score on all examples and on resamples, and the number of labels of each task per resample."""
    found: dict[tuple[str, str], list[Floats]] = {}
    counts: dict[str, list[Floats]] = {}
    first = next(iter(scores))
    for drawn in draws:
        for name, tasks in scores.items():
            for task, seeds in tasks.items():
                table = np.stack([one.figures_of(drawn) for one in seeds], axis=1)
                found.setdefault((name, task), []).append(table)
                if name == first:
                    numbers = np.stack([one.counts_of(drawn) for one in seeds], axis=1)
                    counts.setdefault(task, []).append(numbers)
    figures = {
        name: {
            task: Figure(np.array([one.figure for one in seeds]), np.concatenate(found[name, task]))
            for task, seeds in tasks.items()
        }
        for name, tasks in scores.items()
    }
    return figures, {task: np.concatenate(tables) for task, tables in counts.items()}


def _weighted_mean(pairs: Sequence[tuple[Floats, Floats]], alike: bool) -> Floats:
    """Compute the mean over tasks, weighted by labels or with equal weights; undefined scores are excluded."""
    total, weight = np.zeros_like(pairs[0][0]), np.zeros_like(pairs[0][0])
    for values, counts in pairs:
        known = ~np.isnan(values)
        weights = np.where(known, 1.0 if alike else counts, 0.0)
        total += np.where(known, values, 0.0) * weights
        weight += weights
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Floats = total / weight
    return mean
