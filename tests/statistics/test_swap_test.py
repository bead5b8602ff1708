"""The permutation test against the exact sign test, and against SciPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from mtl_core.statistics.influence import Floats
from mtl_core.statistics.swap_test import Masks, SwapTest, run_swap_test


def swap_mean(values: Floats, seed: int = 0) -> SwapTest:
    """Test the mean of the differences of examples that differ."""

    def compute_differences(masks: Masks) -> Floats:
        differences: Floats = np.where(masks, -values, values).mean(axis=1)
        return differences

    return run_swap_test(float(values.mean()), compute_differences, len(values), np.random.default_rng(seed))


@settings(max_examples=30, deadline=None)
@given(n_better=st.integers(0, 12), n_worse=st.integers(0, 12))
def test_accuracy_gives_the_exact_mcnemar_test(n_better: int, n_worse: int) -> None:
    if not 0 < n_better + n_worse <= 12:
        return
    values = np.array([1.0] * n_better + [-1.0] * n_worse)
    exact = binomtest(n_better, n_better + n_worse).pvalue
    assert swap_mean(values).p_value == pytest.approx(exact)


def test_few_examples_give_the_exact_test_of_scipy() -> None:
    values = np.random.default_rng(0).normal(0.5, 1, 9)
    exact = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert swap_mean(values).p_value == pytest.approx(exact.pvalue)


def test_many_examples_give_about_the_exact_test_and_variance() -> None:
    values = np.array([1.0] * 40 + [-1.0] * 25)
    exact = binomtest(40, 65).pvalue
    swap_test = swap_mean(values)
    assert swap_test.p_value == pytest.approx(exact, abs=0.03)
    assert swap_test.variance == pytest.approx(1 / 65, rel=0.15)
    assert swap_mean(values, seed=1).p_value != swap_test.p_value


def test_difference_beyond_all_exchanges_is_bounded_by_the_sign_test() -> None:
    assert swap_mean(np.ones(30)).p_value == 2.0**-29
    assert swap_mean(np.ones(12)).p_value == 2.0**-11


def test_no_different_answer_gives_a_p_value_of_1() -> None:
    assert run_swap_test(0.0, lambda masks: np.zeros(len(masks)), 0, np.random.default_rng(0)) == SwapTest(1.0, 0.0)


def test_undefined_exchanges_count_as_large() -> None:
    def compute_differences(masks: Masks) -> Floats:
        return np.where(masks[:, 0], np.nan, 0.1)

    assert run_swap_test(1.0, compute_differences, 5, np.random.default_rng(0)).p_value == 0.5
