"""The smallest resolvable difference against exact power, and against simulated studies."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from scipy.stats import chi2, nct, t
from studies import build_mean_influence, draw_differences

from mtl_core.statistics.power import VarianceComponents, compute_resolvable_difference, estimate_components
from mtl_core.statistics.sampling_variance import estimate_sampling_variance


@pytest.mark.parametrize("n_seeds", [3, 5, 10])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_difference_between_seeds_only_has_the_power_of_the_t_test(n_seeds: int, alpha: float) -> None:
    components = VarianceComponents(seed=0.04, shared=0.0, both=0.0, change=0.0, example_freedom=999)
    difference = compute_resolvable_difference(components, n_seeds, alpha, power=0.8)
    noncentrality = difference / (0.2 / n_seeds**0.5)
    quantile = t.ppf(1 - alpha / 2, n_seeds - 1)
    assert nct.sf(quantile, n_seeds - 1, noncentrality) == pytest.approx(0.8, abs=0.01)


def test_more_seeds_resolve_smaller_differences_down_to_what_the_examples_resolve() -> None:
    components = VarianceComponents(seed=0.01, shared=0.0004, both=0.001, change=0.001, example_freedom=999)
    differences = [compute_resolvable_difference(components, n_seeds, 0.05) for n_seeds in (2, 3, 5, 10, 1000)]
    assert differences == sorted(differences, reverse=True)
    assert differences[-1] == pytest.approx((1.96 + 0.84) * 0.0004**0.5, rel=0.1)
    assert compute_resolvable_difference(components, 1, 0.05) == inf


def test_planned_power_is_reached_in_simulated_studies() -> None:
    """Plan from a pilot of 200 seeds; then 80 % of studies with five seeds resolve the difference."""
    sources = (1.0, 0.5, 1.0)
    pilot = next(draw_differences(200, 80, *sources, seed=1, n_studies=1))
    components = estimate_components(build_mean_influence(pilot, 0.0))
    assert components is not None
    difference = compute_resolvable_difference(components, 5, 0.05)
    resolved = []
    for values in draw_differences(5, 80, *sources, seed=2, n_studies=400):
        variance = estimate_sampling_variance(build_mean_influence(values, 0.0))
        assert variance is not None
        resolved.append(values.mean() + difference > variance.compute_half_width(0.95))
    assert np.mean(resolved) == pytest.approx(0.8, abs=0.08)


def test_pilots_of_two_seeds_overestimate_as_often_as_they_underestimate() -> None:
    pilots = draw_differences(2, 50, 5.0, 0.0, 0.0, seed=4, n_studies=400)
    components = [estimate_components(build_mean_influence(values, 0.0)) for values in pilots]
    estimates = [one.seed for one in components if one is not None]
    assert np.median(estimates) == pytest.approx(25 / 50, rel=0.25)


def test_components_are_those_of_the_simulation() -> None:
    values = next(draw_differences(300, 300, 2.0, 0.5, 1.0, seed=3, n_studies=1))
    components = estimate_components(build_mean_influence(values, 0.0))
    assert components is not None
    assert components.seed == pytest.approx(4 / 300, rel=0.25)
    assert components.shared == pytest.approx(0.25 / 300, rel=0.25)
    assert components.both == pytest.approx(1 / 300, rel=0.05)
    assert estimate_components(build_mean_influence(values[:1], 0.0)) is None


@pytest.mark.parametrize("n_seeds", [2, 3, 6])
def test_components_of_a_pilot_are_those_of_an_analysis_of_variance(n_seeds: int) -> None:
    n_examples = 12
    values = np.random.default_rng(n_seeds).normal(size=(n_seeds, n_examples)) + np.linspace(0, 3, n_examples)
    values += 2.0 * np.arange(n_seeds)[:, None]
    of_seeds, of_examples = values.mean(axis=1), values.mean(axis=0)
    residuals = values - of_seeds[:, None] - of_examples + values.mean()
    error_mean_square = np.square(residuals).sum() / ((n_seeds - 1) * (n_examples - 1))
    example_mean_square = n_seeds * of_examples.var(ddof=1)
    median_factor = chi2.ppf(0.5, n_seeds - 1) / (n_seeds - 1)
    components = estimate_components(build_mean_influence(values, 0.25))
    assert components is not None
    assert components.both == pytest.approx(error_mean_square / n_examples)
    assert components.shared == pytest.approx((example_mean_square - error_mean_square) / (n_seeds * n_examples))
    assert components.seed == pytest.approx(of_seeds.var(ddof=1) / median_factor - components.both)
    assert components.change == 0.25


def test_variance_of_both_is_resolved_like_that_of_seeds() -> None:
    """With other examples for each seed, seeds differ as much as if they differed by themselves."""
    of_seeds = VarianceComponents(seed=0.04, shared=0.001, both=0.0, change=0.0, example_freedom=99)
    of_both = VarianceComponents(seed=0.0, shared=0.001, both=0.04, change=0.0, example_freedom=99)
    for n_seeds in (2, 5):
        difference = compute_resolvable_difference(of_seeds, n_seeds, 0.05)
        assert difference == pytest.approx(compute_resolvable_difference(of_both, n_seeds, 0.05))
        assert 0 < difference < inf


def test_without_any_variance_the_added_changes_are_resolved() -> None:
    components = VarianceComponents(seed=0.0, shared=0.0, both=0.0, change=0.01, example_freedom=99)
    difference = compute_resolvable_difference(components, 3, 0.05)
    rounding = t.ppf(0.975, 2) ** 2 / 12 / 3
    assert difference == pytest.approx(0.01 * (3 * t.ppf(0.975, 99) ** 2 + rounding) ** 0.5)
    assert compute_resolvable_difference(replace(components, change=0.02), 3, 0.05) == pytest.approx(2 * difference)
