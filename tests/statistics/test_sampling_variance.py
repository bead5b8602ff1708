"""Intervals and p-values against exact distributions, and against simulated studies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t, ttest_1samp
from studies import build_mean_influence, draw_differences

from mtl_core.statistics.influence import Floats, ScoreInfluence
from mtl_core.statistics.sampling_variance import SamplingVariance, estimate_sampling_variance

STUDIES = 400


def estimate(values: Floats, change: float | None = 0.0) -> SamplingVariance:
    variance = estimate_sampling_variance(build_mean_influence(values, change))
    assert variance is not None
    return variance


# ── exact cases ──


def test_only_seeds_vary_gives_the_t_test_over_seeds() -> None:
    scores = np.array([0.2, 0.5, 0.1, 0.4])
    exact = ttest_1samp(scores, 0.0)
    variance = estimate(np.repeat(scores[:, None], 50, axis=1))
    assert scores.mean() - variance.compute_half_width(0.95) == pytest.approx(exact.confidence_interval(0.95).low)
    assert variance.compute_p_value(scores.mean()) == pytest.approx(exact.pvalue, rel=1e-6)


@pytest.mark.parametrize("n_seeds", [1, 2, 5])
def test_equal_seeds_give_the_t_test_over_examples(n_seeds: int) -> None:
    differences = norm.ppf((np.arange(30) + 0.5) / 30) + 0.2
    exact = ttest_1samp(differences, 0.0)
    variance = estimate(np.tile(differences, (n_seeds, 1)))
    mean = float(differences.mean())
    assert mean - variance.compute_half_width(0.95) == pytest.approx(exact.confidence_interval(0.95).low)
    assert variance.compute_p_value(abs(mean)) == pytest.approx(exact.pvalue, rel=1e-6)


def test_variances_of_seeds_and_examples_have_separate_quantiles() -> None:
    """Scores are sums of an effect of the seed and an effect of the example, so both variances are known."""
    random = np.random.default_rng(4)
    of_seed, of_example = random.normal(0, 0.1, 4), norm.ppf((np.arange(25) + 0.5) / 25)
    variance = estimate(of_seed[:, None] + of_example)
    seed_part = t.ppf(0.975, 3) ** 2 * of_seed.var(ddof=1) / 4
    example_part = t.ppf(0.975, 24) ** 2 * of_example.var(ddof=1) / 25
    assert variance.compute_half_width(0.95) == pytest.approx((seed_part + example_part) ** 0.5)


def test_three_changed_answers_are_added_to_the_variance() -> None:
    differences = np.zeros((1, 200))
    differences[0, :7], differences[0, 7:9] = 1, -1
    n, discordant, mean = 200, 9, 5 / 200
    variance = estimate(differences, change=1 / n)
    exact = n / (n - 1) * (discordant / n - mean**2) / n + 3 / n**2
    assert variance.shared_variance == pytest.approx(exact)


def test_few_examples_that_carry_the_variance_are_few_degrees_of_freedom() -> None:
    """2 n / (kurtosis - 1): of k examples with ±1 among n, about 2 k; of a normal distribution, n - 1 at most."""
    sparse = np.zeros((1, 1000))
    sparse[0, :4], sparse[0, 4:8] = 1, -1
    assert estimate(sparse).example_freedom == pytest.approx(16, rel=0.02)
    two_of_them = np.zeros((1, 1000))
    two_of_them[0, 0], two_of_them[0, 1] = 1, -1
    assert estimate(two_of_them).example_freedom == pytest.approx(4, rel=0.02)
    assert estimate(np.random.default_rng(0).uniform(size=(1, 50))).example_freedom == 49


@pytest.mark.parametrize("n_seeds", [1, 2, 5])
def test_no_observed_difference_gives_about_the_rule_of_three(n_seeds: int) -> None:
    """The exact 95 % interval of a share of which none was observed ends at 3.7 / n, and at 3 / n if one-sided."""
    half_width = estimate(np.zeros((n_seeds, 1000)), change=1 / 1000).compute_half_width(0.95)
    assert 3 / 1000 < half_width < (4.5 if n_seeds == 2 else 3.7) / 1000


def test_rounding_is_a_variance_between_seeds() -> None:
    """Two seeds with equal scores, of 300 answers: at a level of 1 in 10,000, they prove nothing."""
    values = np.zeros((2, 300))
    values[0, :20] = values[1, 20:40] = 1
    variance = estimate(values, change=1 / 300)
    assert variance.seed_variance == pytest.approx((1 / 300) ** 2 / 12 / 2)
    assert variance.compute_p_value(20 / 300) > 1e-3


@settings(max_examples=50, deadline=None)
@given(
    parts=st.tuples(*[st.floats(0, 10) for _ in range(2)]),
    n_seeds=st.integers(2, 10),
    freedom=st.floats(1, 1000),
    level=st.floats(0.5, 0.999),
)
def test_p_value_is_the_level_whose_interval_ends_at_the_hypothesis(
    parts: tuple[float, float], n_seeds: int, freedom: float, level: float
) -> None:
    variance = SamplingVariance(parts[0] + 0.01, parts[1], parts[1] + 0.01, n_seeds, freedom)
    assert variance.compute_p_value(variance.compute_half_width(level)) == pytest.approx(1 - level, rel=1e-6)
    assert variance.compute_p_value(0.0) == 1.0


def test_exchanged_answers_replace_a_variance_that_is_far_too_small() -> None:
    variance = SamplingVariance(0.1, 0.2, 0.3, 3, 99)
    assert variance.require_example_variance(0.44) is variance
    larger = variance.require_example_variance(0.46)
    assert (larger.seed_variance, larger.shared_variance, larger.example_variance) == (0.1, 0.46, 0.46)


def test_seeds_with_equal_scores_by_chance_do_not_make_the_interval_narrow() -> None:
    """Each of three seeds has one more correct answer, on another example: the seeds' scores are equal."""
    values = np.zeros((3, 100))
    values[[0, 1, 2], [0, 1, 2]] = 1
    variance = estimate(values, change=1 / 100)
    assert variance.seed_variance == pytest.approx((1 / 100) ** 2 / 12 / 3)
    assert variance.compute_p_value(1 / 100) > 0.1


def test_seeds_scored_on_different_examples_do_not_share_their_variation() -> None:
    """As with a test split drawn by the seed. The mean is one over 4 * 50 independent examples."""
    random = np.random.default_rng(8)
    influence = np.zeros((4, 200))
    scores = np.empty(4)
    for seed in range(4):
        values = random.normal(size=50)
        influence[seed, seed * 50 : (seed + 1) * 50] = (values - values.mean()) / 50
        scores[seed] = values.mean()
    variance = estimate_sampling_variance(ScoreInfluence(scores, influence, 0.0, 50))
    assert variance is not None
    assert variance.shared_variance == pytest.approx(0, abs=1e-12)
    assert variance.example_variance == pytest.approx(1 / 200, rel=0.2)


@pytest.mark.parametrize("part", ["scores", "influence"])
def test_undefined_scores_have_no_variance(part: str) -> None:
    score = build_mean_influence(np.random.default_rng(0).normal(size=(3, 10)))
    getattr(score, part)[1] = np.nan
    assert estimate_sampling_variance(score) is None
    assert estimate_sampling_variance(build_mean_influence(np.ones((3, 1)))) is None


# ── simulated studies: a small part of `python -m benchmarks comparison_coverage` ──

SOURCES = {"seeds": (1.0, 0.0, 0.0), "examples": (0.0, 1.0, 0.0), "both": (0.0, 0.0, 1.0), "all": (1.0, 0.5, 1.0)}


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
@pytest.mark.parametrize("source", SOURCES)
def test_intervals_contain_the_true_value(source: str, n_seeds: int) -> None:
    studies = draw_differences(n_seeds, 60, *SOURCES[source], seed=4, n_studies=STUDIES)
    is_covered = [abs(values.mean()) <= estimate(values).compute_half_width(0.95) for values in studies]
    tolerance = 3 * (0.95 * 0.05 / STUDIES) ** 0.5
    assert np.mean(is_covered) >= 0.95 - tolerance, f"{np.mean(is_covered):.3f}"


@pytest.mark.parametrize("source", SOURCES)
def test_five_seeds_find_differences_that_known_variances_would_find(source: str) -> None:
    """The oracle knows the variances. It finds a difference of 3.6 standard errors with 95 % probability."""
    by_seed, by_example, by_both = SOURCES[source]
    n_seeds, n_examples = 5, 60
    error = ((by_seed**2 + by_both**2) / (n_seeds * n_examples) + by_example**2 / n_examples) ** 0.5
    found = [
        abs(values.mean() + 3.605 * error) > estimate(values).compute_half_width(0.95)
        for values in draw_differences(n_seeds, n_examples, *SOURCES[source], seed=5, n_studies=STUDIES)
    ]
    assert np.mean(found) >= 0.8 * 0.95 - 3 * (0.2 * 0.8 / STUDIES) ** 0.5, f"{np.mean(found):.3f}"
