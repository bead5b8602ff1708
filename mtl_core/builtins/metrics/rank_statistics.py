"""Metrics of the order of examples within each task, for all tasks at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.nn.group_labels import GroupLabels

Values = NDArray[np.float64]

MAX_RANKED_LABELS = 1_000_000
"""Number of labels that are sorted at once; more labels are sorted some tasks at a time."""


@dataclass(frozen=True)
class TiedScores:
    """Labels with equal scores, per task in ascending order of the scores: one row per distinct score of a task.

    Attributes:
        task_indices: `(scores,)`, int64: the task.
        positives: `(scores,)`: number of positive labels with this score.
        negatives: `(scores,)`: number of negative labels with this score.
        positives_below: `(scores,)`: number of positive labels of the task with lower scores.
        negatives_below: `(scores,)`: number of negative labels of the task with lower scores.
        n_positives: `(tasks,)`: number of positive labels of each task.
        n_negatives: `(tasks,)`: number of negative labels of each task.
    """

    task_indices: NDArray[np.int64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    positives_below: NDArray[np.int64]
    negatives_below: NDArray[np.int64]
    n_positives: NDArray[np.int64]
    n_negatives: NDArray[np.int64]

    def sum_by_task(self, values: Values) -> Values:
        """Sum `(scores,)` over the scores of each task: `(tasks,)`."""
        return np.bincount(self.task_indices, values, len(self.n_positives)).astype(np.float64, copy=False)


def compute_roc_auc(labels: GroupLabels) -> Values:
    """Compute the area under the ROC curve of each task, `(tasks,)`; NaN for a task with labels of one class only.

    It is the probability that a positive label has a higher score than a negative one; equal scores count half.

    Args:
        labels: Class logits `(labels, 2)` and codes `(labels,)`.

    Reference: J. A. Hanley, B. J. McNeil: The Meaning and Use of the Area under a Receiver Operating Characteristic
    (ROC) Curve. Radiology 143(1), 1982.
    """
    return _compute_by_chunk(labels, _compute_roc_auc)


def compute_average_precision(labels: GroupLabels) -> Values:
    """Compute the average precision of each task, `(tasks,)`; NaN for a task with labels of one class only.

    It is the mean over the positive labels of the precision at the score of the label.

    Args:
        labels: Class logits `(labels, 2)` and codes `(labels,)`.
    """
    return _compute_by_chunk(labels, _compute_average_precision)


def compute_spearman(labels: GroupLabels) -> Values:
    """Compute Spearman's rank correlation of each task, `(tasks,)`; NaN if outputs or labels are all equal.

    Args:
        labels: Numbers, `(labels,)` both.
    """
    chunks = []
    for chunk in labels.chunk_tasks(MAX_RANKED_LABELS):
        ranks = [_compute_centred_ranks(chunk, numbers) for numbers in (chunk.outputs, chunk.targets)]
        products = torch.from_numpy(np.stack([ranks[0] * ranks[1], ranks[0] ** 2, ranks[1] ** 2], axis=1))
        covariances, first_variances, second_variances = chunk.sum_by_task(products).T
        with np.errstate(divide="ignore", invalid="ignore"):
            chunks.append(covariances / np.sqrt(first_variances * second_variances))
    return np.concatenate(chunks) if chunks else np.zeros(0)


def _compute_by_chunk(labels: GroupLabels, compute: Callable[[TiedScores], Values]) -> Values:
    chunks = []
    for chunk in labels.chunk_tasks(MAX_RANKED_LABELS):
        scores = chunk.outputs[:, 1] - chunk.outputs[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = compute(_group_ties(chunk, scores.float().numpy()))
        values[chunk.sum_by_task(scores.isnan().unsqueeze(1))[:, 0] > 0] = np.nan
        chunks.append(values)
    return np.concatenate(chunks) if chunks else np.zeros(0)


def _compute_roc_auc(scores: TiedScores) -> Values:
    wins = scores.sum_by_task(scores.positives * (2 * scores.negatives_below + scores.negatives))
    return wins / (2 * scores.n_positives * scores.n_negatives)


def _compute_average_precision(scores: TiedScores) -> Values:
    positives_from = scores.n_positives[scores.task_indices] - scores.positives_below
    negatives_from = scores.n_negatives[scores.task_indices] - scores.negatives_below
    precisions = positives_from / (positives_from + negatives_from)
    means = scores.sum_by_task(scores.positives * precisions) / scores.n_positives
    return np.where(scores.n_negatives > 0, means, np.nan)


def _group_ties(labels: GroupLabels, scores: NDArray[np.float32]) -> TiedScores:
    """Sort the labels of each task by their scores, and count the labels with equal scores.

    One number per label contains its score and its class, in this order of significance: sorting numbers is several
    times as fast as sorting indices.
    """
    stops = labels.counts.cumsum(0).numpy()
    first_labels = stops - labels.counts.numpy()
    task_indices = labels.task_indices.numpy()
    is_positive = labels.targets.numpy() > 0
    is_first = np.zeros(len(scores) + 1, dtype=bool)  # one more, for tasks without labels at the end
    is_first[first_labels] = True
    is_first = is_first[:-1]
    if (scores == scores[first_labels[task_indices]]).all():
        return _count_labels(task_indices, is_first, is_positive, first_labels, stops)  # such as those of a baseline
    keys = _convert_to_ordered_integers(scores).astype(np.uint64) << np.uint64(1)
    keys |= is_positive
    for start, stop in zip(first_labels.tolist(), stops.tolist(), strict=True):
        keys[start:stop].sort()
    is_first[1:] |= keys[1:] >> np.uint64(1) != keys[:-1] >> np.uint64(1)
    return _count_labels(task_indices, is_first, keys & np.uint64(1), first_labels, stops)


def _count_labels(
    task_indices: NDArray[np.int64],
    is_first: NDArray[np.bool_],
    is_positive: NDArray[Any],
    first_labels: NDArray[np.int64],
    stops: NDArray[np.int64],
) -> TiedScores:
    """Count labels with equal scores, and labels of the same task with lower scores.

    Args:
        task_indices: `(labels,)`: the task of each label.
        is_first: `(labels,)`: whether a label, in ascending order of the scores, is the first with its score.
        is_positive: `(labels,)`: whether a label, in this order, is positive.
        first_labels: `(tasks,)`: the first label of each task.
        stops: `(tasks,)`: the end of the labels of each task.
    """
    positives_before = np.zeros(len(is_positive) + 1, dtype=np.int64)
    np.cumsum(is_positive, out=positives_before[1:])
    starts = np.flatnonzero(is_first)
    score_tasks = task_indices[starts]
    positives_until = positives_before[starts]
    positives = np.diff(positives_until, append=positives_before[-1])
    positives_below = positives_until - positives_before[first_labels][score_tasks]
    n_positives = positives_before[stops] - positives_before[first_labels]
    return TiedScores(
        score_tasks,
        positives,
        np.diff(starts, append=len(is_positive)) - positives,
        positives_below,
        starts - first_labels[score_tasks] - positives_below,
        n_positives,
        stops - first_labels - n_positives,
    )


def _convert_to_ordered_integers(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Convert floats to unsigned integers in the same order: the bits of negative floats are in descending order."""
    bits = (scores + np.float32(0)).view(np.uint32)  # 0 is added so that -0 equals 0
    return np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(2**31))


def _compute_centred_ranks(labels: GroupLabels, numbers: torch.Tensor) -> Values:
    """Return the rank of each number within its task minus the mean rank, `(labels,)`; equal numbers share a rank."""
    task_indices, values = labels.task_indices.numpy(), numbers.double().numpy()
    order = np.lexsort((values, task_indices))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (np.diff(task_indices[order]) != 0) | (np.diff(values[order]) != 0)
    starts = np.flatnonzero(is_first)
    sizes = np.diff(starts, append=len(order))
    counts = labels.counts.numpy()
    first_labels = np.cumsum(counts) - counts
    ranks = np.empty(len(order))
    ranks[order] = np.repeat(starts + (sizes - 1) / 2, sizes)
    is_undefined = np.isnan(values)
    centred: Values = ranks - (first_labels + (counts - 1) / 2)[task_indices]
    centred[is_undefined] = np.nan
    return centred
