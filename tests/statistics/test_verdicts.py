"""Corrections for the number of tests, and verdicts: one changed answer never decides."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from studies import build_mean_influence, draw_differences

from mtl_core.statistics.influence import Floats
from mtl_core.statistics.multiple_testing import adjust_p_values, choose_correction
from mtl_core.statistics.sampling_variance import estimate_sampling_variance
from mtl_core.statistics.swap_test import Masks, run_swap_test
from mtl_core.statistics.verdicts import TestedDifference, Verdict, decide_family


def build_difference(
    values: Floats, margin: float | None = None, higher_is_better: bool = True, change: float | None = None
) -> TestedDifference:
    """Build the difference between two variants from its value per seed and example."""
    variance = estimate_sampling_variance(build_mean_influence(values, change))
    of_examples = values.mean(axis=0)
    discordant = np.flatnonzero((values != 0).any(axis=0))

    def compute_differences(masks: Masks) -> Floats:
        signs = 1.0 - 2.0 * masks
        differences: Floats = signs @ of_examples[discordant] / len(of_examples)
        return differences

    mean = float(values.mean())
    swap_test = run_swap_test(mean, compute_differences, len(discordant), np.random.default_rng(0))
    n_changed = int((values != 0).sum(axis=1).max())
    return TestedDifference(mean, variance, higher_is_better, margin, swap_test.p_value, n_changed, len(values) > 1)


def decide(values: Floats, margin: float | None = None, higher_is_better: bool = True) -> Verdict:
    verdicts, _, _ = decide_family([build_difference(values, margin, higher_is_better)])
    return verdicts[0].verdict


# ── corrections ──


def test_holm_multiplies_by_the_number_of_remaining_tests() -> None:
    assert adjust_p_values([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert adjust_p_values([0.6, 0.6]) == [1.0, 1.0]
    assert adjust_p_values([]) == []


def test_families_beyond_20_control_the_false_discovery_rate() -> None:
    assert (choose_correction(20), choose_correction(21)) == ("holm", "benjamini-hochberg")
    p_values = np.linspace(0.0001, 0.9, 21)
    assert adjust_p_values(p_values.tolist()) == pytest.approx(false_discovery_control(p_values, method="bh").tolist())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_keep_the_order_and_never_decrease(p_values: list[float]) -> None:
    adjusted = adjust_p_values(p_values)
    assert all(new >= old - 1e-15 for new, old in zip(adjusted, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= -1e-15).all()


# ── verdicts ──


def test_verdicts_have_the_sign_of_the_metric() -> None:
    values = np.random.default_rng(0).normal(0.5, 1, (5, 200))
    assert (decide(values), decide(-values)) == ("improved", "degraded")
    assert (decide(values, higher_is_better=False), decide(-values, higher_is_better=False)) == (
        "degraded",
        "improved",
    )


def test_small_differences_are_practically_equal_only_within_the_margin() -> None:
    values = np.random.default_rng(0).normal(0.0, 0.1, (5, 2000))
    assert [decide(values, margin) for margin in (None, 0.001, 0.05)] == [
        "not resolved",
        "not resolved",
        "practically equal",
    ]


def test_equality_is_corrected_for_the_number_of_differences() -> None:
    tested = build_difference(np.random.default_rng(1).normal(0, 0.1, (4, 300)))
    assert tested.variance is not None
    margin = tested.variance.compute_half_width(0.97)
    small = TestedDifference(0.0, tested.variance, True, margin, None, None, True)
    large = TestedDifference(margin / 2, tested.variance, True, margin, None, None, True)
    single, _, _ = decide_family([small])
    family, _, _ = decide_family([small] + [large] * 9)
    assert (single[0].verdict, family[0].verdict) == ("practically equal", "not resolved")


def test_difference_that_is_known_to_be_small_is_practically_equal() -> None:
    values = np.random.default_rng(0).normal(0.02, 0.01, (5, 2000))
    assert [decide(values, margin) for margin in (0.0, 0.02, 0.05)] == ["improved", "improved", "practically equal"]


@pytest.mark.parametrize("true_difference", [-0.1, 0.1])
def test_differences_as_large_as_the_margin_are_rarely_called_equal(true_difference: float) -> None:
    studies = draw_differences(3, 100, 0.5, 0.5, 0.5, seed=6, n_studies=300)
    verdicts = [decide(values + true_difference, margin=0.1) for values in studies]
    assert verdicts.count("practically equal") / len(verdicts) <= 0.05


def test_verdict_needs_several_seeds() -> None:
    values = np.random.default_rng(0).normal(5, 1, (1, 200))
    assert decide(values, margin=10.0) == "not resolved"


def test_undefined_differences_are_no_tests() -> None:
    undefined = TestedDifference(None, None, True, 0.01, None, None, True)
    unknown_variance = TestedDifference(0.5, None, True, 0.01, None, None, True)
    verdicts, n_tests, _ = decide_family(
        [undefined, unknown_variance, build_difference(np.random.default_rng(0).normal(1, 1, (3, 99)))]
    )
    assert [one.verdict for one in verdicts[:2]] == ["undefined", "not resolved"]
    assert [one.p_value for one in verdicts[:2]] == [None, None]
    assert n_tests == 1


def test_verdicts_are_corrected_for_the_number_of_differences() -> None:
    """A difference with p = 0.03 improves alone, but not as one of ten."""
    random = np.random.default_rng(1)
    tested = build_difference(random.normal(size=(4, 300)))
    assert tested.variance is not None
    difference = TestedDifference(
        tested.variance.compute_half_width(0.97), tested.variance, True, None, None, None, True
    )
    nothing = TestedDifference(0.0, tested.variance, True, None, None, None, True)
    single, _, _ = decide_family([difference])
    family, n_tests, correction = decide_family([difference] + [nothing] * 9)
    assert single[0].p_value == pytest.approx(0.03)
    assert (single[0].verdict, family[0].verdict) == ("improved", "not resolved")
    assert (n_tests, correction) == (10, "holm")
    assert family[0].adjusted_p_value == pytest.approx(0.3)


# ── changed answers ──


@settings(max_examples=60, deadline=None)
@given(
    n_seeds=st.integers(2, 10),
    n_examples=st.integers(300, 2000),
    changes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 299), st.sampled_from([-1, 1])), max_size=12),
    n_examples_changed=st.integers(0, 2),
)
def test_two_examples_with_changed_answers_never_decide(
    n_seeds: int, n_examples: int, changes: Sequence[tuple[int, int, int]], n_examples_changed: int
) -> None:
    """Whatever changes with which seeds, on one or two examples, the verdict is not improved or degraded."""
    values = np.zeros((n_seeds, n_examples))
    for seed, example, sign in changes:
        if n_examples_changed:
            values[seed % n_seeds, example % n_examples_changed] = sign
    assert decide(values) == "not resolved"
    for changed in (values[:, 0], values[:, 1]):
        changed[:] = 1.0
    assert decide(values) == "not resolved"


def test_two_changed_answers_per_seed_decide_nothing_but_three_may() -> None:
    for n_changed, verdict in ((2, "not resolved"), (3, "improved")):
        values = np.zeros((10, 1000))
        for seed in range(10):
            values[seed, 10 * seed : 10 * seed + n_changed] = 1
        assert decide(values) == verdict, n_changed


def test_five_changed_answers_of_a_thousand_do_not_decide_but_ten_do() -> None:
    for n_changed, verdict in ((5, "not resolved"), (10, "improved")):
        values = np.zeros((3, 1000))
        values[:, :n_changed] = 1
        assert decide(values) == verdict, n_changed


def test_without_any_variation_nothing_is_decided() -> None:
    """Two perfect networks on ten examples: the difference of 0 says little about others."""
    assert decide(np.zeros((3, 10)), margin=0.01) == "not resolved"
    nothing = estimate_sampling_variance(build_mean_influence(np.zeros((3, 10)), 0.0))
    [verdict], _, _ = decide_family([TestedDifference(0.0, nothing, True, 0.01, 1.0, None, True)])
    assert verdict.verdict == "not resolved"


def test_sign_test_bounds_the_p_value() -> None:
    """Four examples with different answers have p = 0.125 at least, however regular the differences are."""
    values = np.zeros((5, 5))
    values[:, :4] = 0.1
    assert build_difference(values, change=0.0).compute_p_value() == pytest.approx(max(0.125, 2.0**-3))


def test_false_verdicts_of_families_without_any_difference_are_rare() -> None:
    """Ten tasks, three seeds: at most one family in twenty has any verdict."""
    n_studies, n_wrong = 150, 0
    streams = [draw_differences(3, 50, 1.0, 0.5, 1.0, seed=seed, n_studies=n_studies) for seed in range(10)]
    for values in zip(*streams, strict=True):
        verdicts, _, _ = decide_family([build_difference(task) for task in values])
        n_wrong += any(one.verdict != "not resolved" for one in verdicts)
    assert n_wrong / n_studies <= 0.05 + 3 * (0.05 * 0.95 / n_studies) ** 0.5
