"""Tests of non-inferiority: truly inferior scores are rarely accepted, equal ones often enough."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import norm
from studies import build_mean_influence

from mtl_core.statistics.influence import Floats
from mtl_core.statistics.non_inferiority import NonInferiority, ScoreChange, decide_non_inferiority
from mtl_core.statistics.sampling_variance import estimate_sampling_variance

N_STUDIES = 4000


def build_change(losses: int, gains: int, n_examples: int, margin: float) -> ScoreChange:
    """Build the change of an accuracy: `losses` right answers are wrong now, `gains` wrong ones right."""
    values = np.zeros((1, n_examples))
    values[0, :losses] = -1
    values[0, losses : losses + gains] = 1
    influence = build_mean_influence(values, 1 / n_examples)
    variance = estimate_sampling_variance(influence)
    return ScoreChange(float(values.mean()), variance, margin, 1 / n_examples, n_examples)


def decide(change: ScoreChange) -> NonInferiority:
    (result,) = decide_non_inferiority([change])
    return result


def compute_acceptance(loss_rate: float, gain_rate: float, n_examples: int, margin: float) -> float:
    """Simulate studies, and return how many of them show non-inferiority."""
    random = np.random.default_rng(0)
    counts = random.multinomial(n_examples, [loss_rate, gain_rate, 1 - loss_rate - gain_rate], size=N_STUDIES)
    tables, frequencies = np.unique(counts[:, :2], axis=0, return_counts=True)
    accepted = [
        decide(build_change(losses, gains, n_examples, margin)).verdict == "non-inferior"
        for losses, gains in tables.tolist()
    ]
    return float(frequencies[accepted].sum() / N_STUDIES)


def list_settings() -> Iterator[tuple[float, int, float]]:
    for margin, sizes in ((0.02, (100, 1000)), (0.05, (60, 300)), (0.1, (50, 200))):
        for n_examples in sizes:
            for ratio in (1.0, 1.5, 4.0):
                yield margin, n_examples, ratio * margin


@pytest.mark.parametrize(("margin", "n_examples", "discordant"), list(list_settings()))
def test_a_loss_of_the_margin_is_accepted_in_at_most_one_of_twenty_studies(
    margin: float, n_examples: int, discordant: float
) -> None:
    loss_rate, gain_rate = (discordant + margin) / 2, (discordant - margin) / 2
    rate = compute_acceptance(loss_rate, gain_rate, n_examples, margin)
    assert rate <= 0.05 + 2.5 * (0.05 * 0.95 / N_STUDIES) ** 0.5


@pytest.mark.parametrize(
    ("margin", "n_examples", "discordant", "power"),
    [(0.05, 300, 0.05, 0.85), (0.02, 1000, 0.05, 0.8), (0.1, 200, 0.1, 0.9), (0.1, 200, 0.2, 0.7)],
)
def test_equal_scores_are_accepted(margin: float, n_examples: int, discordant: float, power: float) -> None:
    assert compute_acceptance(discordant / 2, discordant / 2, n_examples, margin) >= power


@pytest.mark.parametrize("skewed", [False, True])
def test_errors_that_grow_by_the_margin_are_accepted_in_at_most_one_of_twenty_studies(skewed: bool) -> None:
    """Errors have no smallest change: their variance comes from the examples alone."""
    random, margin, n_examples, n_studies = np.random.default_rng(1), 0.3, 80, 1200
    noise = (
        random.exponential(size=(n_studies, n_examples)) - 1 if skewed else random.normal(size=(n_studies, n_examples))
    )
    p_values = np.array([build_error_change(values, margin).compute_p_value() for values in noise - margin])
    assert (p_values <= 0.05).mean() <= 0.05 + 3 * (0.05 * 0.95 / n_studies) ** 0.5
    equal = np.array([build_error_change(values, margin).compute_p_value() for values in noise[:500]])
    assert (equal <= 0.05).mean() > 0.75


def build_error_change(values: Floats, margin: float) -> ScoreChange:
    """Build the change of a mean error from the improvement of each example."""
    variance = estimate_sampling_variance(build_mean_influence(values[None]))
    return ScoreChange(float(values.mean()), variance, margin, 0.0, len(values))


def compute_tango_p_value(losses: int, gains: int, n_examples: int, margin: float) -> float:
    """Compute the p-value of Tango (1998), equations 2 and 3, for a loss of at least the margin."""
    a = 2 * n_examples
    b = -losses - gains - (2 * n_examples - gains + losses) * margin
    c = losses * margin * (1 + margin)
    rate = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)
    z = (gains - losses + n_examples * margin) / np.sqrt(n_examples * (2 * rate - margin * (1 + margin)))
    return float(norm.sf(z))


@pytest.mark.parametrize(
    ("losses", "gains", "n_examples", "margin"),
    [(30, 30, 1000, 0.02), (12, 10, 400, 0.05), (55, 40, 2000, 0.02), (200, 190, 3000, 0.02), (40, 40, 1000, 0.01)],
)
def test_the_p_value_is_close_to_that_of_tango(losses: int, gains: int, n_examples: int, margin: float) -> None:
    p_value = build_change(losses, gains, n_examples, margin).compute_p_value()
    tango = compute_tango_p_value(losses, gains, n_examples, margin)
    assert 0.75 * tango < p_value < 1.9 * tango + 0.002


def test_verdicts() -> None:
    assert decide(build_change(10, 10, 2000, 0.02)).verdict == "non-inferior"
    assert decide(build_change(30, 10, 2000, 0.03)).verdict == "non-inferior"  # worse for certain, but by little
    assert decide(build_change(90, 10, 1000, 0.02)).verdict == "worse"
    assert decide(build_change(3, 3, 60, 0.02)).verdict == "not shown"
    assert decide(ScoreChange(None, None, 0.02)).verdict == "not shown"


def test_no_changed_answer_shows_little_on_few_examples() -> None:
    """Without any difference, about three per n may still have got worse (the rule of three)."""
    assert decide(build_change(0, 0, 100, 0.02)).verdict == "not shown"
    assert decide(build_change(0, 0, 1000, 0.02)).verdict == "non-inferior"


def test_several_scores_need_stronger_evidence() -> None:
    change = build_change(15, 15, 420, 0.02)
    while decide(change).p_value > 0.04:
        change = build_change(15, 15, round(change.n_examples * 1.05), 0.02)
    assert decide(change).verdict == "non-inferior"
    results = decide_non_inferiority([change, change, change])
    assert {result.verdict for result in results} == {"not shown"}
    assert results[0].lower_bound == decide(change).lower_bound


@pytest.mark.parametrize(("losses", "gains", "n_examples"), [(5, 5, 200), (0, 0, 80), (20, 20, 150)])
def test_needed_labels(losses: int, gains: int, n_examples: int) -> None:
    """With as many labels as estimated, and the same share of changed answers, equal scores are about at the limit."""
    margin = 0.03
    needed = build_change(losses, gains, n_examples, margin).estimate_needed_labels(n_examples)
    assert needed is not None
    scale = needed / n_examples
    p_value = build_change(round(losses * scale), round(gains * scale), needed, margin).compute_p_value()
    assert 0.02 < p_value < 0.15
    assert build_change(losses, gains, n_examples, 0.0).estimate_needed_labels(n_examples) is None
