"""Confidence intervals of mean ratings and of differences between them."""

from math import sqrt
from typing import NamedTuple

from mtl_core.report.intervals import Z

DOUBT = 10
"""Number of pseudo-observations, all of them zeros and ones, in the estimate of the variance ratio."""


class Sample(NamedTuple):
    """A sample of values between 0 and 1: their number, their sum, and the sum of their squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean of the values; requires at least one value."""
        return self.total / self.n


def interval(sample: Sample) -> tuple[float, float]:
    """Compute the 95 % confidence interval of the mean of independent values between 0 and 1.

    For values that are 0 or 1, it is the interval of Agresti and Coull (1998). Values in between have a smaller
    variance, so the sample size is divided by the ratio of their variance to that of zeros and ones with the same
    mean. Both variances include `DOUBT` pseudo-observations, because few values may vary little by chance.

    Returns:
        The lower and the upper bound.
    """
    n, total, squares = sample
    middle = (total + Z * Z / 2) / (n + Z * Z)
    doubt = DOUBT * middle * (1 - middle)
    most = total - total * total / n + doubt
    ratio = (squares - total * total / n + doubt) / most
    alike = n / ratio
    center = (sample.mean * alike + Z * Z / 2) / (alike + Z * Z)
    reach = Z * sqrt(center * (1 - center) / (alike + Z * Z))
    return max(0.0, center - reach), min(1.0, center + reach)


def difference(later: Sample, earlier: Sample) -> tuple[float, float, float]:
    """Compute the difference of two means with its 95 % confidence interval (Newcombe, 1998).

    Returns:
        Later minus earlier, and the lower and the upper bound.
    """
    moved = later.mean - earlier.mean
    later_low, later_high = interval(later)
    earlier_low, earlier_high = interval(earlier)
    down = sqrt((later.mean - later_low) ** 2 + (earlier_high - earlier.mean) ** 2)
    up = sqrt((later_high - later.mean) ** 2 + (earlier.mean - earlier_low) ** 2)
    return moved, moved - down, moved + up
