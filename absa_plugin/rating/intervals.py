"""How far a rating may lie from what many more reviews of the same kind would give."""

from math import sqrt

from mtl_core.report.intervals import Z


def interval(score: float, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a mean of `n` values between 0 and 1 (Agresti and Coull, 1998).

    It is made for yes and no. Values between them vary less, so that it is then wider than it need be.

    Args:
        score: The sum of the values.
        n: How many, at least one; taken as independent of each other.
    """
    more = n + Z * Z
    middle = (score + Z * Z / 2) / more
    reach = Z * sqrt(middle * (1 - middle) / more)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference(later: tuple[float, int], earlier: tuple[float, int]) -> tuple[float, float, float]:
    """Compare two means of values between 0 and 1 (Newcombe, 1998: each side's reach, squared and added).

    Args:
        later: Sum and number of the one.
        earlier: Those of the other.

    Returns:
        Later minus earlier, and where its 95 % interval begins and ends.
    """
    (a, b) = (later[0] / later[1], earlier[0] / earlier[1])
    (a_low, a_high), (b_low, b_high) = interval(*later), interval(*earlier)
    down = sqrt((a - a_low) ** 2 + (b_high - b) ** 2)
    up = sqrt((a_high - a) ** 2 + (b - b_low) ** 2)
    return a - b, a - b - down, a - b + up
