"""The area under the ROC curve without one label, and with exchanged scores, in closed form.

The area is the probability that a positive label has a higher score than a negative one. The placement value of a label
is its share of such pairs (DeLong et al., 1988), from which the area without the label follows.

Reference: E. DeLong, D. DeLong, D. Clarke-Pearson: Comparing the Areas under Two or More Correlated Receiver Operating
Characteristic Curves: A Nonparametric Approach. Biometrics 44(3), 1988.
"""

import numpy as np
from numpy.typing import NDArray

from mtl_core.statistics.influence import Floats

Flags = NDArray[np.bool_]


def compute_wins(scores: NDArray[np.float32], is_positive: Flags) -> Floats:
    """Return the number of pairs that each label wins, `(labels,)`; equal scores count half.

    A positive label wins against negative ones with lower scores, a negative label against positive ones with higher
    scores. The sum over positive labels, divided by the number of pairs, is the area under the ROC curve.

    Args:
        scores: `(labels,)`.
        is_positive: `(labels,)`.

    Example:
        >>> scores = np.array([0.1, 0.9, 0.5, 0.5], dtype=np.float32)
        >>> compute_wins(scores, np.array([False, True, True, False]))
        array([2. , 2. , 1.5, 1.5])
    """
    positives, negatives = np.sort(scores[is_positive]), np.sort(scores[~is_positive])
    wins = np.empty(len(scores))
    wins[is_positive] = _count_below(negatives, scores[is_positive])
    wins[~is_positive] = len(positives) - _count_below(positives, scores[~is_positive])
    return wins


def _count_below(ordered: NDArray[np.float32], scores: NDArray[np.float32]) -> Floats:
    """Return how many ordered scores are below each score; equal ones count half."""
    counts: Floats = (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / 2
    return counts


def compute_leave_one_out_auc(scores: NDArray[np.float32], is_positive: Flags) -> Floats:
    """Return the area under the ROC curve without each label, `(labels,)`; NaN without a pair.

    Args:
        scores: `(labels,)`.
        is_positive: `(labels,)`.
    """
    wins = compute_wins(scores, is_positive)
    n_positive = int(is_positive.sum())
    n_negative = len(scores) - n_positive
    n_pairs = np.where(is_positive, (n_positive - 1) * n_negative, n_positive * (n_negative - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        areas: Floats = np.where(n_pairs > 0, (wins[is_positive].sum() - wins) / n_pairs, np.nan)
    return areas


def compute_exchanged_auc(
    first: NDArray[np.float32], second: NDArray[np.float32], is_positive: Flags, masks: Flags
) -> tuple[Floats, Floats]:
    """Return the areas of two rankings of the same labels that exchange scores.

    Args:
        first: `(labels,)`: the scores of the first ranking.
        second: `(labels,)`: the scores of the second ranking.
        is_positive: `(labels,)`.
        masks: `(exchanges, labels)`: the labels whose scores are exchanged.

    Returns:
        The areas of the first and of the second ranking, `(exchanges,)` each; NaN without a pair.
    """
    n_labels = len(first)
    n_pairs = int(is_positive.sum()) * int((~is_positive).sum())
    if not n_pairs:
        return np.full(len(masks), np.nan), np.full(len(masks), np.nan)
    scores = np.concatenate([first, second])
    order = np.argsort(scores, kind="stable")
    ordered, labels = scores[order], order % n_labels
    starts, ends = np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right")
    # Whether each score belongs to the first ranking: its own scores stay, the scores of the second are exchanged.
    is_first = masks[:, labels] == (order >= n_labels)
    is_negative = ~is_positive[labels]
    negatives_below = np.zeros((len(masks), 2 * n_labels + 1), dtype=np.int32)
    np.cumsum(is_first & is_negative, axis=1, out=negatives_below[:, 1:])
    all_below = np.concatenate([[0], np.cumsum(is_negative)])
    positions = np.flatnonzero(~is_negative)
    first_wins = negatives_below[:, starts[positions]] + negatives_below[:, ends[positions]]
    all_wins = all_below[starts[positions]] + all_below[ends[positions]]
    belongs = is_first[:, positions]
    areas = [
        np.einsum("ij,ij->i", wins.astype(np.float64), selected.astype(np.float64)) / (2 * n_pairs)
        for wins, selected in ((first_wins, belongs), (all_wins - first_wins, ~belongs))
    ]
    return areas[0], areas[1]
