"""The Wilson confidence interval of a proportion."""

from math import sqrt

Z = 1.959963984540054
"""Standard deviations around the mean that contain 95 % of a normal distribution."""


def wilson(correct: float, n: int) -> tuple[float, float]:
    """Compute the 95 % interval of a proportion (Wilson, 1927).

    Unlike the interval of ± 1.96 standard errors, it is also valid for few labels and for proportions near 0 and 1.

    Args:
        correct: Number of successes.
        n: Number of trials, at least one; assumed to be independent.

    Returns:
        The lower and the upper bound, from 0 to 1.
    """
    share = correct / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)
