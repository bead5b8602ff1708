"""Iterative stratification assigns rows as scikit-multilearn does with the same random numbers."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtl_core.builtins.splitters.stratification import assign_greedily

SHARES = [[0.8, 0.2], [0.7, 0.2, 0.1], [0.5, 0.5], [0.2] * 5]


def _assign_by_library(table: NDArray[np.uint8], shares: Sequence[float], seed: int) -> list[int]:
    selection = pytest.importorskip("skmultilearn.model_selection")
    stratifier = selection.IterativeStratification(
        n_splits=len(shares), order=1, sample_distribution_per_fold=list(shares)
    )
    assignment = np.full(len(table), -1)
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        for split, (_, rows) in enumerate(stratifier.split(np.zeros((len(table), 1)), table.astype(int))):
            assignment[rows] = split
    finally:
        np.random.set_state(state)
    return assignment.tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(10, 60), st.integers(1, 8), st.floats(0, 1), st.sampled_from(SHARES))
def test_same_assignment_as_scikit_multilearn(
    seed: int, n_rows: int, n_columns: int, density: float, shares: list[float]
) -> None:
    table = (np.random.default_rng(seed).random((n_rows, n_columns)) < density).astype(np.uint8)
    expected = _assign_by_library(table, shares, seed)
    assert assign_greedily(table, shares, np.random.RandomState(seed)).tolist() == expected


def test_global_random_numbers_are_not_used() -> None:
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    assign_greedily(np.eye(20, dtype=np.uint8), [0.5, 0.5], np.random.RandomState(1))
    assert np.random.rand() == expected
