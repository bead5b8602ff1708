"""Intervals against known distributions: their coverage is as stated, and pairing makes them narrow."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.experiments.compare.bootstrap import (
    Floats,
    compute_interval,
    draw_examples,
    draw_seeds,
)
from mtl_core.experiments.compare.paired_bootstrap import classify_difference

EXAMPLES, RESAMPLES, STUDIES = 80, 400, 200


@cache
def draw_resamples(seeds: int, examples: int) -> tuple[Floats, Floats]:
    return np.concatenate(list(draw_examples(examples, RESAMPLES, 1))), draw_seeds(seeds, RESAMPLES, 1)


def compute_mean_interval(scores: Floats) -> tuple[float, float]:
    """Compute the interval of the mean of scores, `(seeds, examples)`."""
    example_counts, shares = draw_resamples(*scores.shape)
    estimate = compute_interval(
        scores.mean(axis=1), example_counts @ scores.T / scores.shape[1], shares, scores.shape[1]
    )
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def draw_studies(seeds: int, by_seed: float, by_example: float, by_both: float) -> Iterator[Floats]:
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
def test_interval_coverage_is_about_95_percent(case: str) -> None:
    is_covered = [low <= 0 <= high for low, high in map(compute_mean_interval, draw_studies(*CASES[case]))]
    assert 0.90 <= np.mean(is_covered) <= 0.99, f"{np.mean(is_covered):.3f}"


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_null_difference_is_not_significant_in_about_95_percent(seeds: int) -> None:
    """Two equally good variants that err on different examples with each seed; each score is 0 or 1."""
    random = np.random.default_rng(3)
    verdicts = []
    for _ in range(STUDIES):
        difficulty = random.beta(2, 1, EXAMPLES)
        is_correct = random.random((2, seeds, EXAMPLES)) < difficulty
        verdicts.append(
            classify_difference(
                *compute_mean_interval(is_correct[0].astype(float) - is_correct[1]), higher_is_better=True
            )
        )
    assert 0.90 <= np.mean([word == "not significant" for word in verdicts]) <= 0.99


def test_real_difference_is_significant_with_the_sign_of_the_metric() -> None:
    scores = np.random.default_rng(0).normal(0.5, 1, (5, 200))
    low, high = compute_mean_interval(scores)
    assert low > 0
    assert (classify_difference(low, high, True), classify_difference(low, high, False)) == ("improved", "degraded")
    assert (classify_difference(-high, -low, True), classify_difference(-high, -low, False)) == (
        "degraded",
        "improved",
    )


def test_pairing_makes_the_interval_of_a_difference_narrow() -> None:
    """Hard examples are hard for both variants: in paired draws, this effect cancels."""
    random = np.random.default_rng(2)
    difficulty = random.normal(0, 1, (1, EXAMPLES))
    first, second = (difficulty + random.normal(0, 0.1, (4, EXAMPLES)) for _ in range(2))
    paired = np.diff(compute_mean_interval(second - first))[0]
    unpaired = np.hypot(np.diff(compute_mean_interval(first))[0], np.diff(compute_mean_interval(second))[0])
    assert paired < unpaired / 5


def test_few_seeds_that_differ_make_the_interval_wide() -> None:
    """Percentiles could not leave the range of the seeds' scores."""
    scores = np.array([0.70, 0.74])
    resampled = np.repeat(scores[None], 50, axis=0) + np.random.default_rng(0).normal(0, 1e-6, (50, 2))
    estimate = compute_interval(scores, resampled, draw_seeds(2, 50, 0), 100)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < 0.70 < 0.74 < estimate.high


def test_more_seeds_and_more_examples_make_it_narrower() -> None:
    random = np.random.default_rng(5)
    scores = random.normal(0, 0.1, (12, 1)) + random.normal(0, 1, (1, 400)) + random.normal(0, 1, (12, 400))
    widths = [np.diff(compute_mean_interval(subset))[0] for subset in (scores[:4, :100], scores[:4], scores)]
    assert widths[0] > widths[1] > widths[2]


@settings(max_examples=25, deadline=None)
@given(examples=st.integers(1, 50), resamples=st.integers(1, 40), seed=st.integers(0, 2**63 - 1))
def test_draws_depend_on_the_seed_and_keep_the_sample_size(examples: int, resamples: int, seed: int) -> None:
    first, second = (np.concatenate(list(draw_examples(examples, resamples, seed))) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (resamples, examples)
    assert (first.sum(axis=1) == examples).all()
    shares = draw_seeds(5, resamples, seed)
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.array_equal(shares, draw_seeds(5, resamples, seed))


def test_draws_do_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    all_draws = np.concatenate(list(draw_examples(30, 20, 4)))
    monkeypatch.setattr("mtl_core.experiments.compare.bootstrap.CHUNK_NUMBERS", 70)
    chunks = list(draw_examples(30, 20, 4))
    assert len(chunks) == 10
    assert np.array_equal(np.concatenate(chunks), all_draws)


def test_undefined_scores_stay_undefined() -> None:
    shares = draw_seeds(2, 10, 0)
    resampled = np.random.default_rng(0).random((10, 2))
    assert compute_interval(np.array([0.5, np.nan]), resampled, shares, 9).mean is None
    resampled[:9, 0] = np.nan  # nearly every draw lacks labels
    estimate = compute_interval(np.array([0.5, 0.7]), resampled, shares, 9)
    assert estimate.mean == pytest.approx(0.6)
    assert (estimate.low, estimate.high) == (None, None)
    assert classify_difference(None, None, True) == "undefined"


def test_seeds_with_complementary_errors_have_an_interval_of_width_0() -> None:
    first = np.array([0.25, 0.5, 0.75, 0.5])
    resampled = np.stack([first, 1 - first], axis=1)
    shares = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    estimate = compute_interval(np.array([0.5, 0.5]), resampled, shares, n_examples=8)
    assert (estimate.mean, estimate.low, estimate.high) == (0.5, 0.5, 0.5)


def test_constant_scores_have_an_interval_of_width_0() -> None:
    estimate = compute_interval(np.full(3, 0.25), np.full((50, 3), 0.25), draw_seeds(3, 50, 0), 40)
    assert (estimate.mean, estimate.low, estimate.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (1e6, 1.9600)])
def test_quantiles_of_students_t_are_those_of_tables(freedom: float, quantile: float) -> None:
    """With one seed, the distances of the percentiles from the mean are multiplied by t over z."""
    resampled = np.random.default_rng(0).normal(size=(500, 1))
    seed_score = np.array([0.25])
    estimate = compute_interval(seed_score, resampled, np.ones((500, 1)), n_examples=int(freedom) + 1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    stretch = quantile / 1.959964
    assert estimate.low == pytest.approx(0.25 + stretch * (low - 0.25), abs=2e-4)
    assert estimate.high == pytest.approx(0.25 + stretch * (high - 0.25), abs=2e-4)
