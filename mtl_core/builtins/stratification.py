"""Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011) with scikit-multilearn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from skmultilearn.model_selection import IterativeStratification

from mtl_core.seeding import derive_seed

ATTEMPTS = 20
"""Number of random assignments; the most even one is used. The greedy method's results vary by whole points."""


def stratify(indicators: NDArray[np.uint8], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Divide rows into splits so that each column has about the same mean in every split.

    Args:
        indicators: `(rows, columns)` of 0 and 1.
        shares: The fraction of rows per split; they sum to 1. A split of fraction 0 stays empty.
        seed: The only source of randomness; the state of NumPy's global generator is restored.

    Returns:
        `(rows,)`, int64: the index of each row's split.
    """
    wanted = [index for index, share in enumerate(shares) if share > 0]
    if len(wanted) < 2:
        return np.full(len(indicators), wanted[0] if wanted else 0, dtype=np.int64)
    if len(indicators) < len(wanted):  # one row per split, and the last splits stay empty
        return np.array(wanted[: len(indicators)], dtype=np.int64)
    draws = [_draw(indicators, wanted, shares, derive_seed(seed, "draw", draw)) for draw in range(ATTEMPTS)]
    return min(draws, key=lambda parts: _unevenness(indicators, parts, wanted, shares))


def _draw(
    indicators: NDArray[np.uint8], wanted: Sequence[int], shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    # Shuffle rows by the seed first: the library breaks many ties by position.
    order = np.random.default_rng(seed).permutation(len(indicators))
    # A column that most rows have ("absent") is nearly the complement of the rest. It misleads the greedy method,
    # which assigns the rarest column first: on SemEval-2014 the largest imbalance is then 2 points, not 0.5.
    table = indicators[order][:, indicators.mean(axis=0) <= 0.5].astype(int)
    parts = np.zeros(len(indicators), dtype=np.int64)
    with _numpy_seeded(seed % 2**32):
        stratifier = IterativeStratification(
            n_splits=len(wanted), order=1, sample_distribution_per_fold=[shares[part] for part in wanted]
        )
        for part, (_, rows) in zip(wanted, stratifier.split(np.zeros((len(order), 1)), table), strict=True):
            parts[order[rows]] = part
    return parts


def _unevenness(
    indicators: NDArray[np.uint8], parts: NDArray[np.int64], wanted: Sequence[int], shares: Sequence[float]
) -> float:
    """Return the largest gap between a split's and the overall column mean, or between its size and its share."""
    whole = indicators.mean(axis=0)
    worst = 0.0
    for part in wanted:
        rows = parts == part
        if not rows.any():
            return float("inf")
        gap = np.abs(indicators[rows].mean(axis=0) - whole).max(initial=0.0)
        worst = max(worst, float(gap), abs(float(rows.mean()) - shares[part]))
    return worst


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, the only one that the library uses, and restore its state afterwards."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
