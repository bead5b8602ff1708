"""The scores of all variants on the same seeds and examples, their differences, and the mean relative gain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mtl_core.artifacts.comparison import DeltaM, Estimate, Interval, Kind
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.experiments.compare.example_columns import ExampleColumns
from mtl_core.experiments.compare.run_outputs import ScoredOutputs
from mtl_core.experiments.compare.seed_scores import SeedScore, SeedScorer
from mtl_core.experiments.compare.swapped_scores import SwappedScores
from mtl_core.plugins.specs import MetricSpec
from mtl_core.seeding import derive_seed
from mtl_core.statistics.influence import Floats, ScoreInfluence, compute_typical_change
from mtl_core.statistics.sampling_variance import SamplingVariance, estimate_sampling_variance
from mtl_core.statistics.swap_test import MAX_EXACT, N_DRAWS, Masks, SwapTest, run_swap_test
from mtl_core.statistics.verdicts import CONFIDENCE_LEVEL

Aggregation = Literal["overall", "mean", "none"]
"""Aggregation over tasks: every label has equal weight, every task has equal weight, or no aggregation."""

N_DRAWS_WITHOUT_SUMS, MAX_EXACT_WITHOUT_SUMS = 199, 7
"""Number of random exchanges, and largest number of examples for all exchanges, of metrics without sums."""


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
    outputs: Sequence[Sequence[Mapping[str, ScoredOutputs]]]


@dataclass(frozen=True)
class ScoreDifference:
    """The difference between the scores of two variants.

    Attributes:
        interval: The mean over seeds, with its confidence interval.
        seeds: The difference per seed; None where it is undefined.
        variance: The variance of the mean; None if it is unknown.
        n_discordant: Number of examples that the two variants answer differently with any seed.
        n_changed: The largest number of such examples with one seed.
        swap_p_value: The p-value of the permutation test over examples; None if it is unknown.
    """

    interval: Interval
    seeds: Sequence[float | None]
    variance: SamplingVariance | None
    n_discordant: int
    n_changed: int
    swap_p_value: float | None


class ComparedScores:
    """The scores of all variants.

    Args:
        variants: The variants, with outputs for the same labels.
        metrics: Name of each task to its metric.
        aggregation: The aggregation over tasks. A task whose score is undefined for a trained variant with any seed
            is excluded for all variants, so that means are over the same tasks.
        examples: Ids of all examples that were scored with any seed.
        seed: The seed of the permutation test.
    """

    def __init__(
        self,
        variants: Sequence[VariantOutputs],
        metrics: Mapping[str, MetricSpec],
        aggregation: Aggregation,
        examples: Sequence[str],
        seed: int,
    ) -> None:
        self._metrics = metrics
        self._seed = seed
        columns = ExampleColumns(examples)
        self._scorers = {task: SeedScorer(spec, columns) for task, spec in metrics.items()}
        self._seed_scores: dict[tuple[str, str], Sequence[SeedScore]] = {}
        self._scores: dict[str, dict[str, ScoreInfluence]] = {variant.name: {} for variant in variants}
        self._label_counts: dict[str, Floats] = {}
        for task, scorer in self._scorers.items():
            for variant in variants:
                self._seed_scores[variant.name, task] = [
                    scorer.score([fold[task] for fold in folds]) for folds in variant.outputs
                ]
            of_variants = [self._seed_scores[variant.name, task] for variant in variants]
            self._label_counts[task] = np.array([score.label_counts for score in of_variants[0]])
            change = _find_typical_change(scorer.spec, [score for scores in of_variants for score in scores])
            for variant in variants:
                self._scores[variant.name][task] = _stack_seeds(self._seed_scores[variant.name, task], change)
        trained = [variant.name for variant in variants if variant.kind != "majority"]
        self.averaged_tasks = _select_averaged_tasks(
            [self._scores[name] for name in trained], list(metrics), aggregation
        )
        """The tasks of the score over all tasks: those whose score is defined for all trained variants and seeds."""
        self._shares = _compute_shares(self._label_counts, self.averaged_tasks, aggregation)
        if aggregation != "none" and self.averaged_tasks:
            averaged_counts = [self._label_counts[task] for task in self.averaged_tasks]
            for scores in self._scores.values():
                averaged = [scores[task] for task in self.averaged_tasks]
                scores[OVERALL] = _aggregate_tasks(averaged, averaged_counts, self._shares, aggregation == "overall")

    @property
    def label_counts(self) -> dict[str, int]:
        """Name of each task to its number of scored labels with the first seed."""
        return {task: int(counts[0].sum()) for task, counts in self._label_counts.items()}

    def estimate_scores(self, name: str) -> dict[str, Estimate]:
        """Estimate the scores of a variant: of each task, and `overall` if tasks can be aggregated."""
        estimates = {}
        for task, score in self._scores[name].items():
            interval = build_interval(score, estimate_sampling_variance(score))
            if task in self._metrics and self._metrics[task].pooled:
                interval = _clip_fraction(interval)
            estimates[task] = Estimate(interval.mean, interval.low, interval.high, _list_seeds(score))
        return estimates

    def subtract_scores(self, name: str, other: str) -> dict[str, ScoreInfluence]:
        """Return the differences between the scores of two variants, per task and `overall`, with influences."""
        return {task: score - self._scores[other][task] for task, score in self._scores[name].items()}

    def compute_differences(self, name: str, other: str) -> dict[str, ScoreDifference]:
        """Compute the differences between the scores of two variants, per task and `overall`."""
        swapped = {
            task: SwappedScores(scorer, self._seed_scores[name, task], self._seed_scores[other, task])
            for task, scorer in self._scorers.items()
        }
        differences = {}
        for task, difference in self.subtract_scores(name, other).items():
            tasks = self.averaged_tasks if task == OVERALL else [task]
            swap_test = self._test_by_swaps(
                difference, [swapped[one] for one in tasks], self._select_shares(task, tasks)
            )
            variance = estimate_sampling_variance(difference)
            if variance is not None and swap_test is not None:
                variance = variance.require_example_variance(swap_test.variance)
            different = np.any([swapped[one].different_answers for one in tasks], axis=0)
            differences[task] = ScoreDifference(
                build_interval(difference, variance),
                _list_seeds(difference),
                variance,
                int(different.any(axis=0).sum()),
                int(different.sum(axis=1).max()),
                None if swap_test is None else swap_test.p_value,
            )
        return differences

    def _select_shares(self, task: str, tasks: Sequence[str]) -> Floats:
        """Return the weight of each task in a score, `(tasks, seeds)`."""
        if task == OVERALL:
            return self._shares
        return np.ones((len(tasks), len(self._label_counts[task])))

    def _test_by_swaps(
        self, difference: ScoreInfluence, swapped: Sequence[SwappedScores], shares: Floats
    ) -> SwapTest | None:
        """Exchange the answers to the same examples in all tasks."""
        if np.isnan(difference.scores).any():
            return None
        columns = np.flatnonzero(np.any([one.discordant for one in swapped], axis=0))

        def compute_differences(masks: Masks) -> Floats:
            float_masks = masks.astype(np.float64)
            per_seed = sum(
                share * one.compute_differences(float_masks, columns)
                for share, one in zip(shares, swapped, strict=True)
            )
            mean: Floats = np.mean(per_seed, axis=1)
            return mean

        is_fast = all(one.has_sums for one in swapped)
        return run_swap_test(
            float(difference.scores.mean()),
            compute_differences,
            len(columns),
            np.random.default_rng(derive_seed(self._seed, "swap-test")),
            *((N_DRAWS, MAX_EXACT) if is_fast else (N_DRAWS_WITHOUT_SUMS, MAX_EXACT_WITHOUT_SUMS)),
        )

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

    def compute_mean_difference(self, name: str, reference: str) -> Interval | None:
        """Compute the mean over tasks of the difference from the reference; None for tasks with different metrics.

        Tasks whose score is undefined for a trained variant are excluded.
        """
        if len({spec.key() for spec in self._metrics.values()}) > 1 or not self.averaged_tasks:
            return None
        differences = [self._scores[name][task] - self._scores[reference][task] for task in self.averaged_tasks]
        weight = 1 / len(differences)
        mean = ScoreInfluence(
            weight * np.sum([one.scores for one in differences], axis=0),
            weight * np.sum([one.influence for one in differences], axis=0),
            weight * max(one.change for one in differences),
            max(one.n_examples for one in differences),
        )
        return build_interval(mean, estimate_sampling_variance(mean))

    def is_higher_better(self, task: str) -> bool:
        """Return whether higher values of a task's metric are better."""
        default_metric = next(iter(self._metrics.values()))
        return self._metrics.get(task, default_metric).higher_is_better


def build_interval(score: ScoreInfluence, variance: SamplingVariance | None) -> Interval:
    """Build the confidence interval of the mean of a score over seeds."""
    if np.isnan(score.scores).any():
        return Interval(None, None, None)
    mean = float(score.scores.mean())
    if variance is None:
        return Interval(mean, None, None)
    half_width = variance.compute_half_width(CONFIDENCE_LEVEL)
    return Interval(mean, mean - half_width, mean + half_width)


def _clip_fraction(interval: Interval) -> Interval:
    """Clip the interval of a fraction of labels to values from 0 to 1."""
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.mean, max(interval.low, 0.0), min(interval.high, 1.0))


def _list_seeds(score: ScoreInfluence) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in score.scores]


def _find_typical_change(spec: MetricSpec, scores: Sequence[SeedScore]) -> float:
    """Return the typical change of a score if one example is answered differently.

    If all examples have the same influence, it is unknown. A score of at most 1 then changes by about 1 / n.
    """
    change = compute_typical_change(np.concatenate([score.influence[score.label_counts > 0] for score in scores]))
    n_examples = max(int((score.label_counts > 0).sum()) for score in scores)
    return 1 / n_examples if change == 0 and spec.higher_is_better and n_examples else change


def _stack_seeds(scores: Sequence[SeedScore], change: float) -> ScoreInfluence:
    return ScoreInfluence(
        np.array([score.score for score in scores]),
        np.array([score.influence for score in scores]),
        change,
        max(score.n_units for score in scores),
    )


def _center(score: ScoreInfluence) -> ScoreInfluence:
    """Return the deviations of the seeds' scores from their mean."""
    return replace(score, scores=score.scores - score.scores.mean())


def _select_averaged_tasks(
    variants: Sequence[Mapping[str, ScoreInfluence]], tasks: Sequence[str], aggregation: Aggregation
) -> list[str]:
    """Return the tasks whose score is defined for all variants and seeds.

    From a mean over tasks, tasks are left out whose influences are undefined, such as the area under the ROC curve with
    a single positive label: the variance of the mean would be unknown. They stay if no other task remains.
    """
    defined = [task for task in tasks if not any(np.isnan(scores[task].scores).any() for scores in variants)]
    if aggregation != "mean":
        return defined
    estimable = [task for task in defined if not any(np.isnan(scores[task].influence).any() for scores in variants)]
    return estimable or defined


def _compute_shares(label_counts: Mapping[str, Floats], tasks: Sequence[str], aggregation: Aggregation) -> Floats:
    """Return the weight of each averaged task in the score over all tasks, `(tasks, seeds)`; each column sums to 1."""
    counts = np.array([label_counts[task].sum(axis=1) for task in tasks])
    weights = counts if aggregation == "overall" else np.ones_like(counts)
    shares: Floats = weights / weights.sum(axis=0) if len(tasks) else weights
    return shares


def _aggregate_tasks(
    tasks: Sequence[ScoreInfluence], label_counts: Sequence[Floats], shares: Floats, counts_labels: bool
) -> ScoreInfluence:
    """Compute the weighted mean over tasks.

    Args:
        tasks: The scores of the averaged tasks.
        label_counts: `(seeds, examples)` per task: number of labels per example.
        shares: `(tasks, seeds)`: the weight of each task.
        counts_labels: Whether weights are shares of labels, which depend on the examples.
    """
    means = np.sum([share * task.scores for share, task in zip(shares, tasks, strict=True)], axis=0)
    influence = np.zeros_like(tasks[0].influence)
    n_labels = np.sum([counts.sum(axis=1) for counts in label_counts], axis=0)
    for task, counts, share in zip(tasks, label_counts, shares, strict=True):
        if not counts_labels:
            influence += share[:, None] * task.influence
            continue
        # A task with one label has an unknown influence on its own score, but none on the sum of its score and weight.
        influence += share[:, None] * np.nan_to_num(task.influence)
        influence += ((task.scores - means) / n_labels)[:, None] * counts
    change = max(float(share.max()) * task.change for share, task in zip(shares, tasks, strict=True))
    return ScoreInfluence(means, influence, change, max(task.n_examples for task in tasks))
