"""Tokens with several subwords: labels are at the first subword, attention weights are summed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_core.data.label_space import MISSING
from mtl_core.data.subwords import expand_to_subwords, find_first_subwords, sum_per_token

counts = st.lists(st.integers(1, 4), min_size=1, max_size=6)


@given(counts)
def test_each_token_has_one_label_and_one_weight(sizes: list[int]) -> None:
    subwords = [token for token, size in enumerate(sizes) for _ in range(size)]
    assert [subwords[index] for index in find_first_subwords(subwords)] == list(range(len(sizes)))
    codes = np.arange(10, 10 + len(sizes))
    subword_codes = expand_to_subwords(codes, subwords)
    assert len(subword_codes) == len(subwords)
    assert np.array_equal(subword_codes[subword_codes != MISSING], codes)
    assert np.array_equal(subword_codes[find_first_subwords(subwords)], codes)
    weights = np.random.default_rng(0).random(len(subwords))
    token_weights = sum_per_token(weights.tolist(), subwords)
    assert len(token_weights) == len(sizes)
    assert sum(token_weights) == pytest.approx(weights.sum())
    assert token_weights[-1] == pytest.approx(weights[-sizes[-1] :].sum())


def test_missing_numbers_are_nan() -> None:
    subword_numbers = expand_to_subwords(np.array([1.5, -2.0]), [0, 0, 1])
    assert subword_numbers[[0, 2]].tolist() == [1.5, -2.0]
    assert np.isnan(subword_numbers[1])


def test_input_with_one_subword_without_a_label() -> None:
    """An empty input is encoded as one unknown word, which has no label."""
    assert expand_to_subwords(np.array([], dtype=np.int64), [0]).tolist() == [MISSING]


def test_tokens_without_subwords_are_unchanged() -> None:
    codes = np.array([3, 1])
    assert expand_to_subwords(codes, None) is codes
    assert sum_per_token([0.5, 0.5], None) == [0.5, 0.5]
