"""Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011).

The assignment is that of scikit-multilearn 0.2.0 (of order 1) for the same random numbers, without its import of
scikit-learn, which takes a second and 70 MB.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.seeding import derive_seed

N_ATTEMPTS = 20
"""Number of random assignments; the most even one is used. The greedy method's results vary by whole points."""


def stratify(indicators: NDArray[np.uint8], fractions: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Divide rows into splits so that each column has about the same mean in every split.

    Args:
        indicators: `(rows, columns)` of 0 and 1.
        fractions: The fraction of rows per split; they sum to 1. A split of fraction 0 stays empty.
        seed: The only source of randomness.

    Returns:
        `(rows,)`, int64: the index of each row's split.
    """
    nonempty_splits = [index for index, fraction in enumerate(fractions) if fraction > 0]
    if len(nonempty_splits) < 2:
        return np.full(len(indicators), nonempty_splits[0] if nonempty_splits else 0, dtype=np.int64)
    if len(indicators) < len(nonempty_splits):  # one row per split, and the last splits stay empty
        return np.array(nonempty_splits[: len(indicators)], dtype=np.int64)
    assignments = [
        _draw_assignment(indicators, nonempty_splits, fractions, derive_seed(seed, "draw", attempt))
        for attempt in range(N_ATTEMPTS)
    ]
    return min(
        assignments, key=lambda assignment: _compute_imbalance(indicators, assignment, nonempty_splits, fractions)
    )


def _draw_assignment(
    indicators: NDArray[np.uint8], nonempty_splits: Sequence[int], fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    # Shuffle rows by the seed first: many ties are broken by position.
    permutation = np.random.default_rng(seed).permutation(len(indicators))
    # A column that most rows have ("absent") is nearly the complement of the rest, and misleads the greedy method: on
    # SemEval-2014 the largest imbalance is then 2 points, not 0.5.
    table = indicators[permutation][:, indicators.mean(axis=0) <= 0.5]
    shares = [fractions[split_index] for split_index in nonempty_splits]
    assignment = np.zeros(len(indicators), dtype=np.int64)
    assignment[permutation] = np.array(nonempty_splits)[
        assign_greedily(table, shares, np.random.RandomState(seed % 2**32))
    ]
    return assignment


def assign_greedily(
    table: NDArray[np.uint8], shares: Sequence[float], random: np.random.RandomState
) -> NDArray[np.int64]:
    """Assign each row to a split, column by column in the order in which columns first occur.

    A row of a column goes to the split that lacks most rows of this column. Rows without any column fill the splits
    that lack rows.

    Args:
        table: `(rows, columns)` of 0 and 1.
        shares: The share of rows per split.
        random: Breaks ties.

    Returns:
        `(rows,)`, int64: indices of splits.
    """
    n_rows = len(table)
    columns_by_row: list[list[int]] = [[] for _ in range(n_rows)]
    rows_by_column: dict[int, list[int]] = {}
    for row, column in np.argwhere(table).tolist():
        columns_by_row[row].append(column)
        rows_by_column.setdefault(column, []).append(row)
    missing_rows = [share * n_rows for share in shares]
    missing_by_column = {column: [len(rows) * share for share in shares] for column, rows in rows_by_column.items()}
    assignment = [-1] * n_rows
    for column, rows in rows_by_column.items():
        missing = missing_by_column[column]
        for row in reversed(rows):
            if assignment[row] >= 0:
                continue
            largest = max(missing)
            candidates = [index for index, count in enumerate(missing) if count == largest]
            split = candidates[0] if len(candidates) == 1 else _choose(candidates, random)
            assignment[row] = split
            missing_rows[split] -= 1
            for other_column in columns_by_row[row]:
                missing_by_column[other_column][split] -= 1
    for row in [row for row in reversed(range(n_rows)) if assignment[row] < 0]:
        split = _choose([index for index, count in enumerate(missing_rows) if count > 0], random)
        assignment[row] = split
        missing_rows[split] -= 1
    return np.array(assignment, dtype=np.int64)


def _choose(splits: Sequence[int], random: np.random.RandomState) -> int:
    """Draw one of the splits, with the same random number as `random.choice`, which takes three times as long."""
    return splits[int(random.randint(0, len(splits), size=1)[0])]


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
