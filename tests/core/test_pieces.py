"""Tokens with several subwords: labels are at the first subword, attention weights are summed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.data.label_space import MISSING
from mtl_core.data.pieces import at_first_pieces, first_pieces, summed_by_token

counts = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@given(counts)
def test_each_token_gets_its_own(sizes: list[int]) -> None:
    pieces = [token for token, size in enumerate(sizes) for _ in range(size)]
    assert [pieces[place] for place in first_pieces(pieces)] == list(range(len(sizes)))
    codes = np.arange(10, 10 + len(sizes))
    spread = at_first_pieces(codes, pieces)
    assert len(spread) == len(pieces)
    assert np.array_equal(spread[spread != MISSING], codes)
    assert np.array_equal(spread[first_pieces(pieces)], codes)
    weights = np.random.default_rng(0).random(len(pieces))
    summed = summed_by_token(weights.tolist(), pieces)
    assert len(summed) == len(sizes)
    assert sum(summed) == pytest.approx(weights.sum())
    assert summed[-1] == pytest.approx(weights[-sizes[-1] :].sum())


def test_missing_numbers_are_no_numbers() -> None:
    spread = at_first_pieces(np.array([1.5, -2.0]), [0, 0, 1])
    assert spread[[0, 2]].tolist() == [1.5, -2.0]
    assert np.isnan(spread[1])


def test_an_input_without_a_label_for_its_one_piece() -> None:
    """An empty input is encoded as one unknown word, which has no label."""
    assert at_first_pieces(np.array([], dtype=np.int64), [0]).tolist() == [MISSING]


def test_whole_tokens_stay_as_they_are() -> None:
    codes = np.array([3, 1])
    assert at_first_pieces(codes, None) is codes
    assert summed_by_token([0.5, 0.5], None) == [0.5, 0.5]
