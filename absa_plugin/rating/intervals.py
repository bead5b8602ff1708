"""How far a rating may lie from what many more reviews of the same kind would give."""

from math import sqrt
from typing import NamedTuple

from mtl_core.report.intervals import Z

DOUBT = 10
"""So many values it takes until half of what they say of their own spread is believed."""


class Sample(NamedTuple):
    """Some values between 0 and 1: how many there are, their sum, and the sum of their squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """Their mean; there must be at least one."""
        return self.total / self.n


def interval(sample: Sample) -> tuple[float, float]:
    """Give the 95 % interval of the mean of values that are independent of each other.

    Of values that are 0 or 1, it is the interval of Agresti and Coull (1998). Values between them vary less, and
    count as so many more zeros and ones as would leave as little doubt. How much less they vary is a ratio of
    variances, both of them with `DOUBT` further zeros and ones, since the small spread of few values may be luck.
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
    """Compare two means (Newcombe, 1998: the reaches of both sides, squared and added).

    Returns:
        Later minus earlier, and where its 95 % interval begins and ends.
    """
    moved = later.mean - earlier.mean
    later_low, later_high = interval(later)
    earlier_low, earlier_high = interval(earlier)
    down = sqrt((later.mean - later_low) ** 2 + (earlier_high - earlier.mean) ** 2)
    up = sqrt((later_high - later.mean) ** 2 + (earlier.mean - earlier_low) ** 2)
    return moved, moved - down, moved + up
