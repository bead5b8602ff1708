"""The score of each seed, and the influence of each example on it.

The influence of an example is its share in the deviation of a score from its expectation. It is estimated by the
jackknife: from the score without that example (Efron and Stein, 1981). Influences of scores add up like the scores
themselves, so that differences, means over tasks and relative gains have influences as well.

References:
    B. Efron, C. Stein: The Jackknife Estimate of Variance. Annals of Statistics 9(3), 1981.
    F. Hampel: The Influence Curve and Its Role in Robust Estimation. JASA 69(346), 1974.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreInfluence:
    """A score per seed, with the influence of each example.

    Attributes:
        scores: `(seeds,)`: the score of each seed; NaN where it is undefined.
        influence: `(seeds, examples)`: the influence of each example on the score of each seed. Each row sums to 0.
            Examples that a seed did not score have no influence. NaN if it cannot be estimated.
        change: The typical change of the score if the network answers one example differently; 0 if unknown.
        n_examples: Number of examples that were scored with any seed.
    """

    scores: Floats
    influence: Floats
    change: float
    n_examples: int

    def __add__(self, other: "ScoreInfluence") -> "ScoreInfluence":
        """Return the sum of two scores on the same examples."""
        return ScoreInfluence(
            self.scores + other.scores,
            self.influence + other.influence,
            max(self.change, other.change),
            max(self.n_examples, other.n_examples),
        )

    def __sub__(self, other: "ScoreInfluence") -> "ScoreInfluence":
        """Return the difference between two scores on the same examples."""
        return self + other.scale(-1.0)

    def scale(self, factor: float) -> "ScoreInfluence":
        """Return the score times a factor."""
        return ScoreInfluence(factor * self.scores, factor * self.influence, abs(factor) * self.change, self.n_examples)


def compute_jackknife_influence(leave_one_out_scores: Floats) -> Floats:
    """Compute the influence of each example from the scores without it.

    Args:
        leave_one_out_scores: `(examples,)`: the score of all other examples.

    Returns:
        `(examples,)`; the sum is 0. For a mean, it is `(x - mean(x)) / n`.
    """
    n_examples = len(leave_one_out_scores)
    influence: Floats = (leave_one_out_scores.mean() - leave_one_out_scores) * ((n_examples - 1) / n_examples)
    return influence


def compute_typical_change(influences: Floats) -> float:
    """Compute the mean absolute difference between two influences that differ, up to rounding.

    If the network answers an example differently, the influence of the example becomes that of another answer. For
    accuracy on n examples, the result is 1 / n. It is Gini's mean difference without ties.

    Args:
        influences: `(n,)`: the influences of examples on scores.

    Returns:
        The mean; 0 if all influences are equal.
    """
    ordered = np.sort(influences[~np.isnan(influences)])
    if not len(ordered):
        return 0.0
    tolerance = 1e-9 * max(abs(ordered[0]), abs(ordered[-1]))
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > tolerance)
    sizes = np.diff(starts, append=len(ordered)).astype(np.float64)
    total = float(len(ordered))
    n_differing_pairs = (total * total - float((sizes * sizes).sum())) / 2
    if n_differing_pairs == 0:
        return 0.0
    ranks = 2 * np.arange(1, total + 1) - total - 1
    return float(ranks @ ordered) / n_differing_pairs
