"""The scores of all variants on the same seeds and examples, their differences, and the mean relative gain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.comparison import DeltaM, Estimate, Interval, Kind
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.experiments.compare.run_outputs import LabelledOutputs
from mtl_core.experiments.compare.seed_scores import SeedScore, score_seed
from mtl_core.plugins.specs import MetricSpec
from mtl_core.statistics.influence import Floats, ScoreInfluence, compute_typical_change
from mtl_core.statistics.sampling_variance import SamplingVariance, estimate_sampling_variance
from mtl_core.statistics.verdicts import CONFIDENCE_LEVEL

Aggregation = Literal["overall", "mean", "none"]
"""Aggregation over tasks: every label has equal weight, every task has equal weight, or no aggregation."""

SeedScores = Sequence[SeedScore]
"""The scores of one task, per seed."""


@dataclass(frozen=True)
class VariantOutputs:
    """A variant with the outputs of its networks.

    Attributes:
        name: Its name.
        kind: Its kind.
        outputs: Task to outputs, per seed and fold.
    """

    name: str
    kind: Kind
    outputs: Sequence[Sequence[Mapping[str, LabelledOutputs]]]


@dataclass(frozen=True)
class ScoreDifference:
    """The difference between the scores of two variants.

    Attributes:
        interval: The mean over seeds, with its confidence interval.
        seeds: The difference per seed; None where it is undefined.
        variance: The variance of the mean; None if it is unknown.
        n_discordant: Number of examples that the two variants answer differently with any seed.
    """

    interval: Interval
    seeds: Sequence[float | None]
    variance: SamplingVariance | None
    n_discordant: int


class ComparedScores:
    """The scores of all variants.

    Args:
        variants: The variants, with outputs for the same labels.
        metrics: Name of each task to its metric.
        aggregation: The aggregation over tasks.
        examples: Ids of all examples that were scored with any seed.
    """

    def __init__(
        self,
        variants: Sequence[VariantOutputs],
        metrics: Mapping[str, MetricSpec],
        aggregation: Aggregation,
        examples: Sequence[str],
    ) -> None:
        self._metrics = metrics
        column_by_id = {example_id: column for column, example_id in enumerate(examples)}
        self._scores: dict[str, dict[str, ScoreInfluence]] = {variant.name: {} for variant in variants}
        self._answers: dict[tuple[str, str], Floats] = {}
        self._label_counts: dict[str, Floats] = {}
        for task, spec in metrics.items():
            seed_scores = {
                variant.name: [
                    score_seed(spec, [fold[task] for fold in folds], column_by_id) for folds in variant.outputs
                ]
                for variant in variants
            }
            first = next(iter(seed_scores.values()))
            self._label_counts[task] = np.array([score.label_counts for score in first])
            change = _find_typical_change(spec, [score for scores in seed_scores.values() for score in scores])
            for name, scores in seed_scores.items():
                self._scores[name][task] = _stack_seeds(scores, change)
                self._answers[name, task] = np.array([score.answers for score in scores])
        for tasks in self._scores.values():
            if aggregation != "none":
                tasks[OVERALL] = _aggregate_tasks(tasks, self._label_counts, equal_weights=aggregation == "mean")

    @property
    def label_counts(self) -> dict[str, int]:
        """Name of each task to its number of scored labels with the first seed."""
        return {task: int(counts[0].sum()) for task, counts in self._label_counts.items()}

    def estimate_scores(self, name: str) -> dict[str, Estimate]:
        """Estimate the scores of a variant: of each task, and `overall` if tasks can be aggregated."""
        estimates = {}
        for task, score in self._scores[name].items():
            interval = build_interval(score, estimate_sampling_variance(score))
            estimates[task] = Estimate(interval.mean, interval.low, interval.high, _list_seeds(score))
        return estimates

    def subtract_scores(self, name: str, other: str) -> dict[str, ScoreInfluence]:
        """Return the differences between the scores of two variants, per task and `overall`, with influences."""
        return {task: score - self._scores[other][task] for task, score in self._scores[name].items()}

    def compute_differences(self, name: str, other: str) -> dict[str, ScoreDifference]:
        """Compute the differences between the scores of two variants, per task and `overall`."""
        differences = {}
        for task, difference in self.subtract_scores(name, other).items():
            variance = estimate_sampling_variance(difference)
            tasks = list(self._metrics) if task == OVERALL else [task]
            n_discordant = int(np.any([self._find_discordant(name, other, one) for one in tasks], axis=0).sum())
            differences[task] = ScoreDifference(
                build_interval(difference, variance), _list_seeds(difference), variance, n_discordant
            )
        return differences

    def compute_delta_m(self, name: str, reference: str) -> DeltaM:
        """Compute the mean over tasks of the relative gain over the reference, in percent (Maninis et al., 2019).

        Differences are divided by the mean of the reference's score over seeds. Tasks whose score is undefined, or
        0 for the reference, are excluded. The influence of an example is that of the quotient (delta method).
        """
        relative_gains = []
        for task, spec in self._metrics.items():
            score, reference_score = self._scores[name][task], self._scores[reference][task]
            reference_mean = float(reference_score.scores.mean())
            if np.isnan(score.scores).any() or np.isnan(reference_mean) or reference_mean == 0:
                continue
            sign = 100.0 if spec.higher_is_better else -100.0
            difference = score - reference_score
            ratio = float(difference.scores.mean()) / reference_mean
            gain = (difference - _center(reference_score).scale(ratio)).scale(sign / abs(reference_mean))
            relative_gains.append(gain)
        if not relative_gains:
            return DeltaM(None, None, None)
        mean = relative_gains[0]
        for gain in relative_gains[1:]:
            mean = mean + gain
        mean = mean.scale(1 / len(relative_gains))
        interval = build_interval(mean, estimate_sampling_variance(mean))
        return DeltaM(interval.mean, interval.low, interval.high)

    def is_higher_better(self, task: str) -> bool:
        """Return whether higher values of a task's metric are better."""
        default_metric = next(iter(self._metrics.values()))
        return self._metrics.get(task, default_metric).higher_is_better

    def _find_discordant(self, name: str, other: str, task: str) -> NDArray[np.bool_]:
        """Return whether two variants answer an example differently with any seed, `(examples,)`."""
        answers, other_answers = self._answers[name, task], self._answers[other, task]
        differs: NDArray[np.bool_] = (answers != other_answers).any(axis=(0, 2))
        return differs


def build_interval(score: ScoreInfluence, variance: SamplingVariance | None) -> Interval:
    """Build the confidence interval of the mean of a score over seeds."""
    if np.isnan(score.scores).any():
        return Interval(None, None, None)
    mean = float(score.scores.mean())
    if variance is None:
        return Interval(mean, None, None)
    half_width = variance.compute_half_width(CONFIDENCE_LEVEL)
    return Interval(mean, mean - half_width, mean + half_width)


def _list_seeds(score: ScoreInfluence) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in score.scores]


def _find_typical_change(spec: MetricSpec, scores: Sequence[SeedScore]) -> float:
    """Return the typical change of a score if one example is answered differently."""
    change = compute_typical_change(np.concatenate([score.influence[score.label_counts > 0] for score in scores]))
    n_labels = max(score.label_counts.sum() for score in scores)
    is_fraction_without_errors = spec.pooled and change == 0 and n_labels > 0
    return 1 / n_labels if is_fraction_without_errors else change


def _stack_seeds(scores: SeedScores, change: float) -> ScoreInfluence:
    return ScoreInfluence(
        np.array([score.score for score in scores]),
        np.array([score.influence for score in scores]),
        change,
        max(score.n_units for score in scores),
    )


def _center(score: ScoreInfluence) -> ScoreInfluence:
    """Return the deviations of the seeds' scores from their mean."""
    return replace(score, scores=score.scores - score.scores.mean())


def _aggregate_tasks(
    tasks: Mapping[str, ScoreInfluence], label_counts: Mapping[str, Floats], equal_weights: bool
) -> ScoreInfluence:
    """Compute the mean over tasks, weighted by labels or with equal weights; undefined scores are excluded."""
    scores = np.array([score.scores for score in tasks.values()])  # (tasks, seeds)
    is_defined = ~np.isnan(scores)
    counts = np.array([label_counts[task].sum(axis=1) for task in tasks])
    weights = np.where(is_defined, 1.0 if equal_weights else counts, 0.0)
    totals = weights.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = weights / totals
    known_scores = np.where(is_defined, scores, 0.0)
    means = (known_scores * shares).sum(axis=0)
    influence = np.zeros_like(next(iter(tasks.values())).influence)
    for index, (task, score) in enumerate(tasks.items()):
        for seed in np.flatnonzero(is_defined[index]):
            influence[seed] += shares[index, seed] * score.influence[seed]
            if not equal_weights:
                # The number of labels of a task, and so its weight, depends on which examples were drawn.
                deviation = known_scores[index, seed] - means[seed]
                influence[seed] += deviation * label_counts[task][seed] / totals[seed]
    changes = [share.max() * score.change for share, score in zip(np.nan_to_num(shares), tasks.values(), strict=True)]
    return ScoreInfluence(
        np.where(totals > 0, means, np.nan),
        influence,
        float(max(changes)),
        max(score.n_examples for score in tasks.values()),
    )
