"""The difference between two variants of one task, with the answers to some examples exchanged."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.experiments.compare.ranked_pairs import build_ranking, ranks_pairs
from mtl_core.experiments.compare.seed_scores import ScoredLabels, SeedScore, SeedScorer
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.statistics.influence import Floats
from mtl_core.statistics.roc_auc import compute_exchanged_auc


class SwappedScores:
    """Scores of two variants of one task that exchange answers.

    Args:
        scorer: The scorer of the task.
        first: The scores of the first variant, per seed.
        second: The scores of the second variant on the same labels, per seed.
    """

    def __init__(self, scorer: SeedScorer, first: Sequence[SeedScore], second: Sequence[SeedScore]) -> None:
        self._scorer = scorer
        self._pairs = list(zip(first, second, strict=True))
        self.has_sums = all(score.sums is not None for pair in self._pairs for score in pair)
        """Whether the metric is a function of sums, so that many exchanges are one matrix product."""
        self.different_answers: NDArray[np.bool_] = np.array([_find_different_answers(*pair) for pair in self._pairs])
        """`(seeds, examples)`: whether the answers differ; for classes, whether the predicted ones do."""
        discordant = (
            self.different_answers if self.has_sums else [_find_different_outputs(*pair) for pair in self._pairs]
        )
        self.discordant: NDArray[np.bool_] = np.any(discordant, axis=0)
        """`(examples,)`: whether the metric reads different outputs with any seed."""

    def compute_differences(self, masks: Floats, columns: NDArray[np.int64]) -> Floats:
        """Compute the differences of each seed, second from first, `(exchanges, seeds)`; NaN where undefined.

        Args:
            masks: `(exchanges, k)`: whether to exchange the answers to an example, 0 or 1.
            columns: `(k,)`: the columns of these examples, which contain all with different answers.
        """
        differences = np.empty((len(masks), len(self._pairs)))
        for seed, (first, second) in enumerate(self._pairs):
            if first.sums is not None and second.sums is not None:
                differences[:, seed] = self._swap_sums(first.sums, second.sums, masks, columns)
            else:
                differences[:, seed] = self._swap_labels(first, second, masks, columns)
        return differences

    def _swap_sums(self, first: Floats, second: Floats, masks: Floats, columns: NDArray[np.int64]) -> Floats:
        swapped = (second - first)[columns]
        changed = np.flatnonzero(swapped.any(axis=1))
        # Of hundreds of tasks, each has labels for few of the examples with different answers.
        is_sparse = len(changed) < len(columns) / 2
        changes = masks[:, changed] @ swapped[changed] if is_sparse else masks @ swapped
        compute = self._scorer.spec.compute_from_sums
        with np.errstate(divide="ignore", invalid="ignore"):
            return compute(first.sum(axis=0) + changes) - compute(second.sum(axis=0) - changes)

    def _swap_labels(self, first: SeedScore, second: SeedScore, masks: Floats, columns: NDArray[np.int64]) -> Floats:
        """Return the differences of one seed, `(exchanges,)`, of a metric without sums: the mean over folds."""
        per_fold = [
            self._swap_fold(first_fold, second_fold, masks, columns)
            for first_fold, second_fold in zip(first.folds, second.folds, strict=True)
        ]
        mean: Floats = np.mean(per_fold, axis=0)
        return mean

    def _swap_fold(
        self, first: ScoredLabels, second: ScoredLabels, masks: Floats, columns: NDArray[np.int64]
    ) -> Floats:
        indices = np.searchsorted(columns, first.columns)
        is_known = columns[np.minimum(indices, len(columns) - 1)] == first.columns
        is_swapped = torch.zeros((len(masks), len(first.columns)), dtype=torch.bool)
        is_swapped[:, torch.from_numpy(is_known)] = torch.from_numpy(masks[:, indices[is_known]] > 0)
        if ranks_pairs(self._scorer.spec):
            rankings = [build_ranking(fold.outputs, fold.targets) for fold in (first, second)]
            areas = compute_exchanged_auc(
                rankings[0].scores, rankings[1].scores, rankings[0].is_positive, is_swapped.numpy()
            )
            return areas[0] - areas[1]
        is_swapped = is_swapped.reshape(*is_swapped.shape, *[1] * (first.outputs.ndim - 1))
        scores = [
            self._score_exchanges(torch.where(is_swapped, swapped.outputs, original.outputs), original.targets)
            for original, swapped in ((first, second), (second, first))
        ]
        return scores[0] - scores[1]

    def _score_exchanges(self, outputs: torch.Tensor, targets: torch.Tensor) -> Floats:
        """Return the score of each exchange, given outputs `(exchanges, labels, ...)`."""
        n_exchanges, n_labels = outputs.shape[:2]
        repeated = targets.repeat(n_exchanges, *[1] * (targets.ndim - 1))
        counts = torch.full((n_exchanges,), n_labels)
        return self._scorer.score_resamples(GroupLabels(outputs.flatten(0, 1), repeated, counts))


def _find_different_answers(first: SeedScore, second: SeedScore) -> NDArray[np.bool_]:
    """Return whether two variants answer an example differently with one seed, `(examples,)`."""
    if first.sums is not None and second.sums is not None:
        differs: NDArray[np.bool_] = (first.sums != second.sums).any(axis=1)
        return differs
    return _find_different_outputs(_predict_classes(first), _predict_classes(second))


def _find_different_outputs(first: SeedScore, second: SeedScore) -> NDArray[np.bool_]:
    """Return whether any output for an example differs, `(examples,)`."""
    differs = np.zeros(len(first.label_counts), dtype=bool)
    for first_fold, second_fold in zip(first.folds, second.folds, strict=True):
        is_different = first_fold.outputs != second_fold.outputs
        differs[
            first_fold.columns[
                is_different.reshape(len(is_different), math.prod(is_different.shape[1:])).any(dim=1).numpy()
            ]
        ] = True
    return differs


def _predict_classes(score: SeedScore) -> SeedScore:
    """Replace outputs for classes by the predicted classes."""
    folds = [
        replace(fold, outputs=fold.outputs.argmax(dim=1))
        if fold.outputs.ndim == 2 and fold.outputs.shape[1] > 1 and not fold.targets.is_floating_point()
        else fold
        for fold in score.folds
    ]
    return replace(score, folds=folds)
