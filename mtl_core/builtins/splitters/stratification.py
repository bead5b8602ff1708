"""Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011) with scikit-multilearn."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.splitters.iterative_stratification import LinearIterativeStratification
from mtl_core.seeding import derive_seed

N_ATTEMPTS = 20
"""Number of random assignments; the most even one is used. The greedy method's results vary by whole points."""
MIN_ATTEMPTS = 1
"""The number of random assignments of the largest tables."""
MAX_CELLS = 2**19
"""Number of indicators above which there are fewer assignments, in inverse proportion: time grows no further."""
MAX_CACHED_BYTES = 2**20
"""Above this size, in bytes, the assignment of a table is not kept for later calls."""


def stratify(indicators: NDArray[np.uint8], fractions: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Divide rows into splits so that each column has about the same mean in every split.

    Args:
        indicators: `(rows, columns)` of 0 and 1.
        fractions: The fraction of rows per split; they sum to 1. A split of fraction 0 stays empty.
        seed: The only source of randomness; the state of NumPy's global generator is restored.

    Returns:
        `(rows,)`, int64: the index of each row's split.
    """
    nonempty_splits = [index for index, fraction in enumerate(fractions) if fraction > 0]
    if len(nonempty_splits) < 2:
        return np.full(len(indicators), nonempty_splits[0] if nonempty_splits else 0, dtype=np.int64)
    if len(indicators) < len(nonempty_splits):  # one row per split, and the last splits stay empty
        return np.array(nonempty_splits[: len(indicators)], dtype=np.int64)
    if indicators.nbytes > MAX_CACHED_BYTES:
        return _choose_assignment(indicators, fractions, seed)
    return _choose_cached_assignment(indicators.tobytes(), indicators.shape, tuple(fractions), seed).copy()


@lru_cache(maxsize=64)
def _choose_cached_assignment(
    cells: bytes, shape: tuple[int, ...], fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Choose an assignment, or return that of an earlier call: the variants of a comparison share their splits."""
    return _choose_assignment(np.frombuffer(cells, dtype=np.uint8).reshape(shape), fractions, seed)


def _choose_assignment(indicators: NDArray[np.uint8], fractions: Sequence[float], seed: int) -> NDArray[np.int64]:
    nonempty_splits = [index for index, fraction in enumerate(fractions) if fraction > 0]
    return min(
        draw_assignments(indicators, fractions, seed),
        key=lambda assignment: _compute_imbalance(indicators, assignment, nonempty_splits, fractions),
    )


def draw_assignments(indicators: NDArray[np.uint8], fractions: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Return random assignments of rows to at least two splits, each `(rows,)`, int64, by iterative stratification.

    Args:
        indicators: `(rows, columns)` of 0 and 1; at least as many rows as splits.
        fractions: The fraction of rows per split; they sum to 1. A split of fraction 0 stays empty.
        seed: The only source of randomness; the state of NumPy's global generator is restored.
    """
    nonempty_splits = [index for index, fraction in enumerate(fractions) if fraction > 0]
    return [
        _draw_assignment(indicators, nonempty_splits, fractions, derive_seed(seed, "draw", attempt))
        for attempt in range(count_attempts(indicators.size))
    ]


def count_attempts(n_cells: int) -> int:
    """Return the number of random assignments of a table with a number of indicators."""
    return N_ATTEMPTS if n_cells <= MAX_CELLS else max(N_ATTEMPTS * MAX_CELLS // n_cells, MIN_ATTEMPTS)


def _draw_assignment(
    indicators: NDArray[np.uint8], nonempty_splits: Sequence[int], fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    # Shuffle rows by the seed first: the library breaks many ties by position.
    permutation = np.random.default_rng(seed).permutation(len(indicators))
    # A column that most rows have ("absent") is nearly the complement of the rest. It misleads the greedy method,
    # which assigns the rarest column first: on SemEval-2014 the largest imbalance is then 2 points, not 0.5.
    table = indicators[permutation][:, indicators.mean(axis=0) <= 0.5]
    assignment = np.zeros(len(indicators), dtype=np.int64)
    with _temporary_numpy_seed(seed % 2**32):
        stratifier = LinearIterativeStratification([fractions[split_index] for split_index in nonempty_splits])
        for split_index, (_, rows) in zip(
            nonempty_splits, stratifier.split(np.zeros((len(permutation), 1)), table), strict=True
        ):
            assignment[permutation[rows]] = split_index
    return assignment


def _compute_imbalance(
    indicators: NDArray[np.uint8],
    assignment: NDArray[np.int64],
    nonempty_splits: Sequence[int],
    fractions: Sequence[float],
) -> float:
    """Return the largest gap between a split's and the overall column mean, or between its size and its share."""
    overall_mean = indicators.mean(axis=0)
    largest_imbalance = 0.0
    for split_index in nonempty_splits:
        rows = assignment == split_index
        if not rows.any():
            return float("inf")
        gap = np.abs(indicators[rows].mean(axis=0) - overall_mean).max(initial=0.0)
        largest_imbalance = max(largest_imbalance, float(gap), abs(float(rows.mean()) - fractions[split_index]))
    return largest_imbalance


@contextmanager
def _temporary_numpy_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, the only one that the library uses, and restore its state afterwards."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
