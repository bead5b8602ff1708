"""The Wilson confidence interval of a proportion, and the test that belongs to it."""

from math import erfc, sqrt

Z_95 = 1.959963984540054
"""Standard deviations around the mean that contain 95 % of a normal distribution."""


def compute_wilson_interval(n_successes: float, n_trials: int) -> tuple[float, float]:
    """Compute the 95 % interval of a proportion (Wilson, 1927).

    Unlike the interval of ± 1.96 standard errors, it is also valid for few labels and for proportions near 0 and 1.

    Args:
        n_successes: Number of successes.
        n_trials: Number of trials, at least one; assumed to be independent.

    Returns:
        The lower and the upper bound, from 0 to 1.
    """
    proportion = n_successes / n_trials
    center = (proportion + Z_95 * Z_95 / (2 * n_trials)) / (1 + Z_95 * Z_95 / n_trials)
    half_width = (
        Z_95
        / (1 + Z_95 * Z_95 / n_trials)
        * sqrt(proportion * (1 - proportion) / n_trials + Z_95 * Z_95 / (4 * n_trials * n_trials))
    )
    return max(0.0, center - half_width), min(1.0, center + half_width)


def compute_wilson_p_value(proportion: float, n_trials: int, hypothesis: float) -> float:
    """Compute the two-sided p-value of the score test: 0.05 where the 95 % Wilson interval ends.

    Args:
        proportion: The observed proportion.
        n_trials: Number of trials, at least one; assumed to be independent.
        hypothesis: The proportion that is tested.
    """
    if proportion == hypothesis:
        return 1.0
    error = sqrt(hypothesis * (1 - hypothesis) / n_trials)
    return erfc(abs(proportion - hypothesis) / error / sqrt(2)) if error > 0 else 0.0
