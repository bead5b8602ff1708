"""How far a share that was measured on few labels may lie from the truth."""

from math import sqrt

Z = 1.959963984540054
"""95 % of a normal distribution lie within so many standard deviations."""


def wilson(correct: float, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson, 1927).

    Unlike the usual "± 1.96 standard errors" it holds for few labels, too, and for shares near 0 and 1.

    Args:
        correct: How many of them.
        n: Of how many, at least one; taken as independent of each other.
    """
    share = correct / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    reach = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)
