"""Compute scores with intervals, differences, and the mean relative gain, from the outputs of variants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtl_core.artifacts.comparison import DeltaM, Difference, Estimate, Kind, Verdict
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.experiments.compare.bootstrap import Floats, compute_interval, draw_examples, draw_seeds
from mtl_core.experiments.compare.run_outputs import LabelledOutputs
from mtl_core.experiments.compare.seed_scores import SeedScores
from mtl_core.plugins.specs import MetricSpec

Aggregation = Literal["overall", "mean", "none"]
"""Aggregation over tasks: every label has equal weight, every task has equal weight, or no aggregation."""


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
class BootstrapScore:
    """A score per seed.

    Attributes:
        seeds: `(seeds,)`: the score of each seed; NaN where it is undefined.
        resampled: `(resamples, seeds)`: the score on resampled examples; NaN where it is undefined.
    """

    seeds: Floats
    resampled: Floats

    def __sub__(self, other: "BootstrapScore") -> "BootstrapScore":
        """Return the difference per seed and resample."""
        return BootstrapScore(self.seeds - other.seeds, self.resampled - other.resampled)


class PairedBootstrap:
    """The scores of all variants on the same resamples.

    Args:
        variants: The variants, with outputs for the same labels.
        metrics: Name of each task to its metric.
        aggregation: The aggregation over tasks.
        examples: Ids of all examples that were scored with any seed.
        resamples: Number of bootstrap resamples.
        seed: The seed of the resampling.
    """

    def __init__(
        self,
        variants: Sequence[VariantOutputs],
        metrics: Mapping[str, MetricSpec],
        aggregation: Aggregation,
        examples: Sequence[str],
        resamples: int,
        seed: int,
    ) -> None:
        self._metrics = metrics
        self._aggregation = aggregation
        self._n_examples = len(examples)
        column_by_id = {one: column for column, one in enumerate(examples)}
        scores = {
            variant.name: {
                name: [SeedScores(spec, [fold[name] for fold in folds], column_by_id) for folds in variant.outputs]
                for name, spec in metrics.items()
            }
            for variant in variants
        }
        self._seed_shares = draw_seeds(len(variants[0].outputs), resamples, seed)
        self._scores, self._resampled_counts = _resample(scores, draw_examples(len(examples), resamples, seed))
        first = next(iter(scores.values()))
        self.label_counts = {name: np.array([one.n for one in first[name]]) for name in metrics}
        for tasks in self._scores.values():
            if (overall := self._aggregate_tasks(tasks)) is not None:
                tasks[OVERALL] = overall

    def get_scores(self, name: str) -> Mapping[str, BootstrapScore]:
        """Return the scores of one variant: of each task, and `overall` if tasks can be aggregated."""
        return self._scores[name]

    def estimate(self, score: BootstrapScore) -> Estimate:
        """Estimate the mean of a score over seeds, with its interval."""
        result = compute_interval(score.seeds, score.resampled, self._seed_shares, self._n_examples)
        return Estimate(result.mean, result.low, result.high, [None if np.isnan(x) else float(x) for x in score.seeds])

    def compute_differences(self, name: str, other: str) -> dict[str, Difference]:
        """Compute the differences between the scores of two variants, per task."""
        return {
            task: self._estimate_difference(score - self._scores[other][task], self.higher_is_better(task))
            for task, score in self._scores[name].items()
        }

    def compute_delta_m(self, name: str, reference: str) -> DeltaM:
        """Compute the mean over tasks of the relative gain over the reference, in percent (Maninis et al., 2019).

        Differences are divided by the mean of the reference's score over seeds. Tasks whose score is undefined, or
        0 for the reference, are excluded.
        """
        relative_gains = []
        for task, spec in self._metrics.items():
            variant_score, reference_score = self._scores[name][task], self._scores[reference][task]
            reference_mean = abs(reference_score.seeds.mean())
            if np.isnan(variant_score.seeds).any() or np.isnan(reference_mean) or reference_mean == 0:
                continue
            sign = 100.0 if spec.higher_is_better else -100.0
            resampled_reference = np.abs(reference_score.resampled.mean(axis=1, keepdims=True))
            with np.errstate(divide="ignore", invalid="ignore"):
                resampled = (
                    sign
                    * (variant_score - reference_score).resampled
                    / np.where(resampled_reference > 0, resampled_reference, np.nan)
                )
            relative_gains.append(
                BootstrapScore(sign * (variant_score - reference_score).seeds / reference_mean, resampled)
            )
        if not relative_gains:
            return DeltaM(None, None, None)
        mean = BootstrapScore(
            np.mean([relative_gain.seeds for relative_gain in relative_gains], axis=0),
            np.mean([relative_gain.resampled for relative_gain in relative_gains], axis=0),
        )
        result = compute_interval(mean.seeds, mean.resampled, self._seed_shares, self._n_examples)
        return DeltaM(result.mean, result.low, result.high)

    def higher_is_better(self, task: str) -> bool:
        """Return whether higher values of a task's metric are better."""
        default_metric = next(iter(self._metrics.values()))
        return self._metrics.get(task, default_metric).higher_is_better

    def _estimate_difference(self, score: BootstrapScore, higher_is_better: bool) -> Difference:
        result = compute_interval(score.seeds, score.resampled, self._seed_shares, self._n_examples)
        return Difference(
            result.mean, result.low, result.high, classify_difference(result.low, result.high, higher_is_better)
        )

    def _aggregate_tasks(self, tasks: Mapping[str, BootstrapScore]) -> BootstrapScore | None:
        """Aggregate the scores over tasks."""
        if self._aggregation == "none":
            return None
        equal_weights = self._aggregation == "mean"
        seeds = _compute_weighted_mean(
            [(score.seeds, self.label_counts[name]) for name, score in tasks.items()], equal_weights
        )
        pairs = [(score.resampled, self._resampled_counts[name]) for name, score in tasks.items()]
        return BootstrapScore(seeds, _compute_weighted_mean(pairs, equal_weights))


def classify_difference(low: float | None, high: float | None, higher_is_better: bool) -> Verdict:
    """Return the verdict on a difference from its interval."""
    if low is None or high is None:
        return "undefined"
    if low <= 0 <= high:
        return "not significant"
    return "improved" if (low > 0) == higher_is_better else "degraded"


_Scores = Mapping[str, Mapping[str, Sequence[SeedScores]]]


def _resample(
    scores: _Scores, example_count_chunks: Iterable[Floats]
) -> tuple[dict[str, dict[str, BootstrapScore]], dict[str, Floats]]:
    """Compute every score on all examples and on resamples, and the number of labels of each task per resample."""
    score_chunks: dict[tuple[str, str], list[Floats]] = {}
    counts: dict[str, list[Floats]] = {}
    first = next(iter(scores))
    for example_counts in example_count_chunks:
        for name, tasks in scores.items():
            for task, seeds in tasks.items():
                table = np.stack([one.score_resamples(example_counts) for one in seeds], axis=1)
                score_chunks.setdefault((name, task), []).append(table)
                if name == first:
                    label_counts = np.stack([one.count_labels(example_counts) for one in seeds], axis=1)
                    counts.setdefault(task, []).append(label_counts)
    bootstrap_scores = {
        name: {
            task: BootstrapScore(np.array([one.score for one in seeds]), np.concatenate(score_chunks[name, task]))
            for task, seeds in tasks.items()
        }
        for name, tasks in scores.items()
    }
    return bootstrap_scores, {task: np.concatenate(chunks) for task, chunks in counts.items()}


def _compute_weighted_mean(pairs: Sequence[tuple[Floats, Floats]], equal_weights: bool) -> Floats:
    """Compute the mean over tasks, weighted by labels or with equal weights; undefined scores are excluded."""
    weighted_sum, total_weight = np.zeros_like(pairs[0][0]), np.zeros_like(pairs[0][0])
    for values, counts in pairs:
        is_defined = ~np.isnan(values)
        weights = np.where(is_defined, 1.0 if equal_weights else counts, 0.0)
        weighted_sum += np.where(is_defined, values, 0.0) * weights
        total_weight += weights
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: Floats = weighted_sum / total_weight
    return mean
