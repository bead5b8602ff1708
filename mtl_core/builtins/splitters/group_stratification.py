"""Stratification of groups of different sizes: iterative stratification, then moves of single groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.splitters.stratification import draw_assignments

MAX_REFINED_GROUPS = 20_000
"""As many of the random assignments are refined as have this number of groups together, the most even ones first."""
MAX_MOVES = 1000
"""The maximum number of moves per assignment."""


def stratify_units_by_group(
    indicators: NDArray[np.uint8],
    sizes: NDArray[np.int64],
    groups: NDArray[np.int64],
    fractions: Sequence[float],
    seed: int,
) -> NDArray[np.int64]:
    """Divide units into splits, all units of a group into the same one.

    Args:
        indicators: `(units, columns)`, uint8: 1 if the unit contains a (task, class).
        sizes: `(units,)`, int64: the number of examples per unit.
        groups: `(units,)`, int64: the group of each unit.
        fractions: The fraction of examples per split; they sum to 1. A split of fraction 0 stays empty.
        seed: The only source of randomness.

    Returns:
        `(units,)`, int64: the index of each unit's split.

    Raises:
        ValueError: If there are fewer groups than splits with a fraction above 0.
    """
    names, group_indices = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), indicators.shape[1]), dtype=np.int64)
    np.add.at(counts, group_indices, indicators)
    group_sizes = np.bincount(group_indices, weights=sizes, minlength=len(names)).astype(np.int64)
    return stratify_groups(counts, group_sizes, fractions, seed)[group_indices]


def stratify_groups(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Divide groups into splits so that splits have their fractions of the examples, and of those of each column.

    Iterative stratification (Sechidis et al., 2011) counts rows. Groups differ in size, so its assignments of groups
    are refined: the move of one group that reduces the squared deviations most is made until none reduces them.

    Args:
        counts: `(groups, columns)`, int64: the number of units of each group that contain a (task, class).
        sizes: `(groups,)`, int64: the number of examples of each group.
        fractions: The fraction of examples per split; they sum to 1. A split of fraction 0 stays empty.
        seed: The only source of randomness.

    Returns:
        `(groups,)`, int64: the index of each group's split. No split with a fraction above 0 is empty.

    Raises:
        ValueError: If there are fewer groups than splits with a fraction above 0.
    """
    split_indices = np.array([index for index, fraction in enumerate(fractions) if fraction > 0])
    if len(sizes) < len(split_indices):
        raise ValueError(f"{len(sizes)} groups cannot be divided into {len(split_indices)} splits")
    if len(split_indices) == 1:
        return np.full(len(sizes), split_indices[0], dtype=np.int64)
    targets = np.array(fractions)[split_indices]
    shares = _compute_shares(counts, sizes)
    starts = [
        np.searchsorted(split_indices, assignment)
        for assignment in draw_assignments((counts > 0).astype(np.uint8), fractions, seed)
    ]
    for start in starts:
        _fill_empty_splits(start, sizes, len(targets))
    starts.sort(key=lambda assignment: _compute_deviation(shares, assignment, targets))  # stable: no further randomness
    n_refined = max(MAX_REFINED_GROUPS // len(sizes), 1)
    refined = [_refine(shares, start, targets) for start in starts[:n_refined]]
    best = min(refined, key=lambda assignment: _compute_deviation(shares, assignment, targets))
    return split_indices[best]


def _compute_shares(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each group's share of all examples, and of those of each column, `(groups, 1 + columns)`.

    Columns are scaled so that all of them together count as much as the number of examples.
    """
    counts = counts[:, counts.any(axis=0)]
    label_shares = counts / counts.sum(axis=0) / np.sqrt(max(counts.shape[1], 1))
    return np.column_stack([sizes / sizes.sum(), label_shares])


def _compute_gaps(
    shares: NDArray[np.float64], assignment: NDArray[np.int64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the difference of each split's shares and its target, `(splits, 1 + columns)`."""
    totals = shares.sum(axis=0)
    return np.stack([shares[assignment == index].sum(axis=0) - target * totals for index, target in enumerate(targets)])


def _compute_deviation(
    shares: NDArray[np.float64], assignment: NDArray[np.int64], targets: NDArray[np.float64]
) -> float:
    return float((_compute_gaps(shares, assignment, targets) ** 2).sum())


def _fill_empty_splits(assignment: NDArray[np.int64], sizes: NDArray[np.int64], n_splits: int) -> None:
    """Move the smallest group of the split with the most groups into each empty split."""
    for index in range(n_splits):
        if not (assignment == index).any():
            donors = np.flatnonzero(assignment == np.bincount(assignment, minlength=n_splits).argmax())
            assignment[donors[sizes[donors].argmin()]] = index


def _refine(shares: NDArray[np.float64], start: NDArray[np.int64], targets: NDArray[np.float64]) -> NDArray[np.int64]:
    """Move single groups while that reduces the deviation; no split becomes empty."""
    assignment = start.copy()
    gaps = _compute_gaps(shares, assignment, targets)
    squares = (shares**2).sum(axis=1)
    for _ in range(MAX_MOVES):
        products = shares @ gaps.T
        # The change of the sum of squares if a group moves, `(groups, splits)`.
        assigned_products = products[np.arange(len(shares)), assignment]
        changes = 2 * (squares[:, None] + products - assigned_products[:, None])
        changes[np.arange(len(shares)), assignment] = np.inf
        is_last = np.bincount(assignment, minlength=len(targets)) == 1
        changes[is_last[assignment]] = np.inf
        group, split = np.unravel_index(changes.argmin(), changes.shape)
        if changes[group, split] > -1e-12:
            break
        gaps[assignment[group]] -= shares[group]
        gaps[split] += shares[group]
        assignment[group] = split
    return assignment
