"""Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011) by scikit-multilearn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from skmultilearn.model_selection import IterativeStratification


def stratify(indicators: NDArray[np.uint8], shares: Sequence[float], seed: int) -> NDArray[np.int8]:
    """Divide rows into parts of given shares so that each column has about the same mean in every part.

    Args:
        indicators: `(rows, columns)` of 0 and 1.
        shares: The share of each part; they add up to 1. A part of share 0 gets nothing.
        seed: The only source of randomness.

    Returns:
        `(rows,)`: the index of each row's part.
    """
    parts = [index for index, share in enumerate(shares) if share > 0]
    result = np.zeros(len(indicators), dtype=np.int8)
    if len(parts) < 2:
        return result + (parts[0] if parts else 0)
    # Rows are put in an order of the seed's first: the library breaks many ties by position.
    order = np.random.default_rng(seed).permutation(len(indicators))
    # A column that is 1 for every row keeps the sizes of the parts in balance when few rows have labels.
    table = np.hstack([indicators[order], np.ones((len(order), 1), dtype=np.uint8)]).astype(int)
    with _numpy_seeded(seed % 2**32):
        stratifier = IterativeStratification(
            n_splits=len(parts), order=1, sample_distribution_per_fold=[shares[part] for part in parts]
        )
        for part, (_, rows) in zip(parts, stratifier.split(np.zeros((len(order), 1)), table), strict=True):
            result[order[rows]] = part
    return result


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, the only one the library draws from, and put it back afterwards."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
