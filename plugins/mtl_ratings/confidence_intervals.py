"""Confidence intervals of mean ratings and of differences between them."""

from math import sqrt
from typing import NamedTuple

from mtl_core.reporting import Z_95

PSEUDO_COUNT = 10
"""Number of pseudo-observations, all of them zeros and ones, in the estimate of the variance ratio."""


class Sample(NamedTuple):
    """A sample of values between 0 and 1: their number, their sum, and the sum of their squares."""

    n: int
    total: float
    sum_of_squares: float

    @property
    def mean(self) -> float:
        """The mean of the values; requires at least one value."""
        return self.total / self.n


def compute_interval(sample: Sample) -> tuple[float, float]:
    """Compute the 95 % confidence interval of the mean of independent values between 0 and 1.

    For values that are 0 or 1, it is the interval of Agresti and Coull (1998). Values in between have a smaller
    variance, so the sample size is divided by the ratio of their variance to that of zeros and ones with the same
    mean. Both variances include `PSEUDO_COUNT` pseudo-observations, because few values may vary little by chance.

    Returns:
        The lower and the upper bound.
    """
    n, total, sum_of_squares = sample
    shrunken_mean = (total + Z_95 * Z_95 / 2) / (n + Z_95 * Z_95)
    pseudo_variance = PSEUDO_COUNT * shrunken_mean * (1 - shrunken_mean)
    max_variance = total - total * total / n + pseudo_variance
    ratio = (sum_of_squares - total * total / n + pseudo_variance) / max_variance
    effective_n = n / ratio
    center = (sample.mean * effective_n + Z_95 * Z_95 / 2) / (effective_n + Z_95 * Z_95)
    half_width = Z_95 * sqrt(center * (1 - center) / (effective_n + Z_95 * Z_95))
    return max(0.0, center - half_width), min(1.0, center + half_width)


def compute_difference(later: Sample, earlier: Sample) -> tuple[float, float, float]:
    """Compute the difference of two means with its 95 % confidence interval (Newcombe, 1998).

    Returns:
        Later minus earlier, and the lower and the upper bound.
    """
    estimate = later.mean - earlier.mean
    later_low, later_high = compute_interval(later)
    earlier_low, earlier_high = compute_interval(earlier)
    lower_width = sqrt((later.mean - later_low) ** 2 + (earlier_high - earlier.mean) ** 2)
    upper_width = sqrt((later_high - later.mean) ** 2 + (earlier.mean - earlier_low) ** 2)
    return estimate, estimate - lower_width, estimate + upper_width
