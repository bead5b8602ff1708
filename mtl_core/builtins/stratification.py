"""Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011) by scikit-multilearn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from skmultilearn.model_selection import IterativeStratification

from mtl_core.seeding import derive_seed

ATTEMPTS = 20
"""Draws of which the most even one is kept. The method is greedy, and its draws differ by whole points."""


def stratify(indicators: NDArray[np.uint8], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Divide rows into parts of given shares so that each column has about the same mean in every part.

    Args:
        indicators: `(rows, columns)` of 0 and 1.
        shares: The share of each part; they add up to 1. A part of share 0 gets nothing.
        seed: The only source of randomness; NumPy's global generator is left as it was.

    Returns:
        `(rows,)`: the index of each row's part.
    """
    wanted = [index for index, share in enumerate(shares) if share > 0]
    if len(wanted) < 2:
        return np.full(len(indicators), wanted[0] if wanted else 0, dtype=np.int64)
    if len(indicators) < len(wanted):  # one row a part, and the last parts get nothing
        return np.array(wanted[: len(indicators)], dtype=np.int64)
    draws = [_draw(indicators, wanted, shares, derive_seed(seed, "draw", draw)) for draw in range(ATTEMPTS)]
    return min(draws, key=lambda parts: _unevenness(indicators, parts, wanted, shares))


def _draw(
    indicators: NDArray[np.uint8], wanted: Sequence[int], shares: Sequence[float], seed: int
) -> NDArray[np.int64]:
    # Rows are put in an order of the seed's first: the library breaks many ties by position.
    order = np.random.default_rng(seed).permutation(len(indicators))
    # What most rows carry ("absent") is nearly the complement of the rest. The greedy method, which deals out the
    # rarest column first, is led astray by it: on SemEval-2014 the worst share is then off by 2 points, not 0.5.
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
    """The largest difference between a part's mean of a column and the whole's, or of its size and its share."""
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
    """Seed NumPy's global generator, the only one the library draws from, and put it back afterwards."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
