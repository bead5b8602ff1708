"""Intervals against known distributions: their coverage is as stated, and pairing makes them narrow."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.comparison.bootstrap import Floats, draw_examples, draw_seeds, interval, t_quantile
from mtl_core.comparison.measure import verdict

EXAMPLES, RESAMPLES, STUDIES = 80, 400, 200


@cache
def draws(seeds: int, examples: int) -> tuple[Floats, Floats]:
    return np.concatenate(list(draw_examples(examples, RESAMPLES, 1))), draw_seeds(seeds, RESAMPLES, 1)


def found_in(scores: Floats) -> tuple[float, float]:
    """Compute the interval of the mean of scores, `(seeds, examples)`."""
    drawn, shares = draws(*scores.shape)
    one = interval(scores.mean(axis=1), drawn @ scores.T / scores.shape[1], shares, scores.shape[1])
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


def studies(seeds: int, by_seed: float, by_example: float, by_both: float) -> Iterator[Floats]:
    """Yield the scores of studies with a true mean of 0, each with different seeds and examples."""
    random = np.random.default_rng(7)
    for _ in range(STUDIES):
        yield (
            random.normal(0, by_seed, (seeds, 1))
            + random.normal(0, by_example, (1, EXAMPLES))
            + random.normal(0, by_both, (seeds, EXAMPLES))
        )


CASES = {
    "examples differ": (5, 0.0, 1.0, 0.2),
    "seeds differ": (5, 0.3, 0.3, 0.3),
    "three seeds that differ": (3, 0.3, 0.3, 0.3),
    "all differ": (5, 0.05, 0.5, 1.0),
    "ten seeds": (10, 0.1, 0.5, 0.5),
    "one seed": (1, 0.0, 1.0, 1.0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_interval_holds_the_truth_about_95_times_in_a_hundred(case: str) -> None:
    held = [low <= 0 <= high for low, high in map(found_in, studies(*CASES[case]))]
    assert 0.90 <= np.mean(held) <= 0.99, f"{np.mean(held):.3f}"


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_a_null_difference_of_noisy_networks_is_called_noise_about_95_times_in_a_hundred(seeds: int) -> None:
    """Two equally good variants that err on different examples with each seed; each score is 0 or 1."""
    random = np.random.default_rng(3)
    called = []
    for _ in range(STUDIES):
        hard = random.beta(2, 1, EXAMPLES)
        right = random.random((2, seeds, EXAMPLES)) < hard
        called.append(verdict(*found_in(right[0].astype(float) - right[1]), higher_is_better=True))
    assert 0.90 <= np.mean([word == "noise" for word in called]) <= 0.99


def test_a_real_difference_is_found_and_its_sign_is_that_of_the_metric() -> None:
    scores = np.random.default_rng(0).normal(0.5, 1, (5, 200))
    low, high = found_in(scores)
    assert low > 0
    assert (verdict(low, high, True), verdict(low, high, False)) == ("gained", "suffered")
    assert (verdict(-high, -low, True), verdict(-high, -low, False)) == ("suffered", "gained")


def test_pairing_makes_the_interval_of_a_difference_narrow() -> None:
    """Hard examples are hard for both variants: in paired draws, this effect cancels."""
    random = np.random.default_rng(2)
    hard = random.normal(0, 1, (1, EXAMPLES))
    first, second = (hard + random.normal(0, 0.1, (4, EXAMPLES)) for _ in range(2))
    paired = np.diff(found_in(second - first))[0]
    unpaired = np.hypot(np.diff(found_in(first))[0], np.diff(found_in(second))[0])
    assert paired < unpaired / 5


def test_few_seeds_that_differ_make_the_interval_wide() -> None:
    """Percentiles could not leave the range of the seeds' scores."""
    figures = np.array([0.70, 0.74])
    resampled = np.repeat(figures[None], 50, axis=0) + np.random.default_rng(0).normal(0, 1e-6, (50, 2))
    one = interval(figures, resampled, draw_seeds(2, 50, 0), 100)
    assert one.low is not None
    assert one.high is not None
    assert one.low < 0.70 < 0.74 < one.high


def test_more_seeds_and_more_examples_make_it_narrower() -> None:
    random = np.random.default_rng(5)
    scores = random.normal(0, 0.1, (12, 1)) + random.normal(0, 1, (1, 400)) + random.normal(0, 1, (12, 400))
    widths = [np.diff(found_in(part))[0] for part in (scores[:4, :100], scores[:4], scores)]
    assert widths[0] > widths[1] > widths[2]


@settings(max_examples=25, deadline=None)
@given(examples=st.integers(1, 50), resamples=st.integers(1, 40), seed=st.integers(0, 2**63 - 1))
def test_draws_are_a_function_of_the_seed_and_draw_as_many_as_there_are(
    examples: int, resamples: int, seed: int
) -> None:
    first, again = (np.concatenate(list(draw_examples(examples, resamples, seed))) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (resamples, examples)
    assert (first.sum(axis=1) == examples).all()
    shares = draw_seeds(5, resamples, seed)
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.array_equal(shares, draw_seeds(5, resamples, seed))


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draw_examples(30, 20, 4)))
    monkeypatch.setattr("mtl_core.comparison.bootstrap.CHUNK_NUMBERS", 70)
    pieces = list(draw_examples(30, 20, 4))
    assert len(pieces) == 10
    assert np.array_equal(np.concatenate(pieces), whole)


def test_what_is_undefined_stays_undefined() -> None:
    shares = draw_seeds(2, 10, 0)
    some = np.random.default_rng(0).random((10, 2))
    assert interval(np.array([0.5, np.nan]), some, shares, 9).mean is None
    some[:9, 0] = np.nan  # nearly every draw lacks labels
    found = interval(np.array([0.5, 0.7]), some, shares, 9)
    assert (found.mean, found.low, found.high) == (pytest.approx(0.6), None, None)
    assert verdict(None, None, True) == "undefined"


def test_seeds_that_err_on_each_others_right_answers_have_a_mean_without_width() -> None:
    first = np.array([0.25, 0.5, 0.75, 0.5])
    resampled = np.stack([first, 1 - first], axis=1)
    shares = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    found = interval(np.array([0.5, 0.5]), resampled, shares, examples=8)
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)


def test_what_never_varies_has_no_width() -> None:
    found = interval(np.full(3, 0.25), np.full((50, 3), 0.25), draw_seeds(3, 50, 0), 40)
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (1e6, 1.9600)]
)
def test_quantiles_of_students_t_are_those_of_tables(freedom: float, quantile: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, abs=2e-4)
