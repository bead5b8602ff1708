"""Influences against closed forms and against the bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import build_mean_influence

from mtl_core.statistics.influence import compute_jackknife_influence, compute_typical_change


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_influence_on_a_mean_is_the_deviation_over_n(values: list[float]) -> None:
    array = np.array(values)
    leave_one_out = (array.sum() - array) / (len(array) - 1)
    expected = (array - array.mean()) / len(array)
    assert compute_jackknife_influence(leave_one_out) == pytest.approx(expected, abs=1e-9)


def test_influence_estimates_the_variance_of_a_ratio() -> None:
    """The jackknife variance of a ratio is that of 20,000 bootstrap samples, within a twentieth."""
    random = np.random.default_rng(0)
    numerator = random.gamma(2, size=300)
    denominator = numerator + random.gamma(3, size=300)
    leave_one_out = (numerator.sum() - numerator) / (denominator.sum() - denominator)
    influence = compute_jackknife_influence(leave_one_out)
    counts = random.multinomial(300, np.full(300, 1 / 300), size=20_000)
    resampled = (counts @ numerator) / (counts @ denominator)
    assert np.square(influence).sum() == pytest.approx(resampled.var(), rel=0.05)
    assert influence.sum() == pytest.approx(0, abs=1e-12)


@given(st.integers(1, 40), st.integers(1, 40))
def test_typical_change_of_a_fraction_is_one_answer(n_correct: int, n_wrong: int) -> None:
    n = n_correct + n_wrong
    answers = np.array([1.0] * n_correct + [0.0] * n_wrong)
    assert compute_typical_change((answers - answers.mean()) / n) == pytest.approx(1 / n)


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12))
def test_typical_change_is_the_mean_over_pairs_that_differ(values: list[int]) -> None:
    pairs = [abs(a - b) for index, a in enumerate(values) for b in values[:index] if a != b]
    expected = sum(pairs) / len(pairs) if pairs else 0.0
    assert compute_typical_change(np.array(values, dtype=float)) == pytest.approx(expected)


def test_differences_and_multiples_of_scores_have_their_influences() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 3, 20))
    difference = build_mean_influence(first, 0.0) - build_mean_influence(second, 0.0).scale(2.0)
    expected = build_mean_influence(first - 2 * second, 0.0)
    assert difference.scores == pytest.approx(expected.scores)
    assert difference.influence == pytest.approx(expected.influence)
    assert (build_mean_influence(first, 0.5) - build_mean_influence(second, 0.25).scale(4.0)).change == 1.0
