"""The fast iterative stratification has the assignments of scikit-multilearn, in time proportional to the labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skmultilearn.model_selection import IterativeStratification
from skmultilearn.model_selection.iterative_stratification import _fold_tie_break

from mtl_core.builtins.splitters.iterative_stratification import LinearIterativeStratification
from mtl_core.builtins.splitters.stratification import N_ATTEMPTS, count_attempts, draw_assignments

Assignment = tuple[list[list[int]], float]


def assign(stratifier: IterativeStratification, table: NDArray[np.uint8]) -> Assignment:
    """Return the rows of each split, and the next number of the global generator."""
    state = np.random.get_state()
    np.random.seed(7)
    try:
        return [rows.tolist() for _, rows in stratifier.split(np.zeros((len(table), 1)), table)], np.random.random()
    finally:
        np.random.set_state(state)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(4, 60),
    labels=st.integers(1, 12),
    share=st.floats(0, 0.6),
    fractions=st.sampled_from([[0.8, 0.2], [0.5, 0.5], [0.7, 0.2, 0.1], [0.25] * 4]),
    seed=st.integers(0, 1000),
)
def test_assignments_and_random_draws_equal_those_of_the_library(
    rows: int, labels: int, share: float, fractions: list[float], seed: int
) -> None:
    table = (np.random.default_rng(seed).random((rows, labels)) < share).astype(np.uint8)
    library = IterativeStratification(len(fractions), order=1, sample_distribution_per_fold=fractions)
    assert assign(LinearIterativeStratification(fractions), table) == assign(library, table.astype(int))


def test_each_row_is_assigned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions: list[int] = []

    def count(desired: NDArray[np.float64], candidates: NDArray[np.int64]) -> int:
        decisions.append(1)
        return int(_fold_tie_break(desired, candidates))

    monkeypatch.setattr("mtl_core.builtins.splitters.iterative_stratification._fold_tie_break", count)
    table = np.ones((50, 40), dtype=np.uint8)
    assign(LinearIterativeStratification([0.8, 0.2]), table)
    assert len(decisions) == 50


def test_large_tables_have_fewer_assignments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [count_attempts(cells) for cells in (1, 2**19, 2**20, 2**40)] == [N_ATTEMPTS, N_ATTEMPTS, 10, 1]
    table = np.random.default_rng(0).integers(0, 2, (20, 5)).astype(np.uint8)
    complete = draw_assignments(table, [0.8, 0.2], 1)
    monkeypatch.setattr("mtl_core.builtins.splitters.stratification.MAX_CELLS", 50)
    reduced = draw_assignments(table, [0.8, 0.2], 1)
    assert len(reduced) == 10
    np.testing.assert_array_equal(reduced, complete[:10])
