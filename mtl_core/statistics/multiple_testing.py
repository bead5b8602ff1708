"""Adjust p-values for the number of tests.

References:
    S. Holm: A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal of Statistics 6(2), 1979.
    Y. Benjamini, Y. Hochberg: Controlling the False Discovery Rate. Journal of the Royal Statistical Society B 57(1),
        1995.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Correction = Literal["holm", "benjamini-hochberg"]

MAX_HOLM_TESTS = 20
"""Largest family of tests for which Holm's method is used."""

CORRECTION_NAMES: dict[Correction, str] = {"holm": "Holm", "benjamini-hochberg": "Benjamini and Hochberg"}


def choose_correction(n_tests: int) -> Correction:
    """Return the method for a family of tests.

    Up to `MAX_HOLM_TESTS` tests, Holm's method bounds the probability of any false finding. Beyond, the method of
    Benjamini and Hochberg bounds the expected share of false findings among all findings.
    """
    return "holm" if n_tests <= MAX_HOLM_TESTS else "benjamini-hochberg"


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of a family of tests.

    Args:
        p_values: `(tests,)`: the p-values.

    Returns:
        `(tests,)`: a test is significant at a level if its adjusted p-value is at most that level.
    """
    n_tests = len(p_values)
    if choose_correction(n_tests) == "holm":
        values = np.asarray(p_values, dtype=np.float64)
        order = np.argsort(values, kind="stable")
        adjusted = np.empty(n_tests)
        adjusted[order] = np.maximum.accumulate(values[order] * np.arange(n_tests, 0, -1))
        return [float(value) for value in np.minimum(adjusted, 1.0)]
    from scipy.stats import false_discovery_control

    return [float(value) for value in false_discovery_control(p_values, method="bh")]
