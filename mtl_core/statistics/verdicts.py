"""Verdicts on a family of differences: from intervals and from p-values that are adjusted for their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_core.statistics.multiple_testing import Correction, adjust_p_values, choose_correction
from mtl_core.statistics.sampling_variance import SamplingVariance

Verdict = Literal["improved", "degraded", "practically equal", "not resolved", "undefined"]

MIN_CHANGED = 3
"""Smallest number of changed answers with one seed that can decide: one or two are chance, whatever their effect."""
CONFIDENCE_LEVEL = 0.95
"""The confidence level of intervals. Tests are at 1 minus this level."""


@dataclass(frozen=True)
class TestedDifference:
    """A difference between two scores, before the correction for the number of tests.

    Attributes:
        mean: The mean over seeds; None if it is undefined.
        variance: The variance of the mean; None if it is unknown.
        higher_is_better: Whether a positive difference is better.
        margin: The largest difference that makes no practical difference, 0 or more; None if none is stated.
        swap_p_value: The p-value of the permutation test over examples; None if it is unknown.
        n_changed: Largest number of examples that the two sides answer differently with one seed; None if unknown.
        is_conclusive: Whether a verdict is possible at all: not with one seed.
    """

    __test__ = False  # not a test of pytest

    mean: float | None
    variance: SamplingVariance | None
    higher_is_better: bool
    margin: float | None
    swap_p_value: float | None
    n_changed: int | None
    is_conclusive: bool

    def compute_p_value(self) -> float | None:
        """Compute the p-value of no difference; None if it is unknown.

        It is the larger one of two: that of the interval, which covers seeds and examples, and that of the permutation
        test, which is exact for few different answers.
        """
        if self.mean is None or self.variance is None:
            return None
        p_value = self.variance.compute_p_value(abs(self.mean))
        return p_value if self.swap_p_value is None else max(p_value, self.swap_p_value)

    def compute_equivalence_p_value(self) -> float | None:
        """Compute the p-value of a difference of at least the margin (two one-sided tests); None if it is unknown.

        Reference: D. Schuirmann: A Comparison of the Two One-Sided Tests Procedure and the Power Approach. Journal
        of Pharmacokinetics and Biopharmaceutics 15(6), 1987.
        """
        if self.mean is None or self.variance is None or self.margin is None:
            return None
        distance = self.margin - abs(self.mean)
        return self.variance.compute_p_value(distance) / 2 if distance > 0 else 1.0


@dataclass(frozen=True)
class FamilyVerdict:
    """The verdict on one difference of a family.

    Attributes:
        verdict: The verdict.
        p_value: The p-value of no difference; None if it is unknown.
        adjusted_p_value: The p-value, adjusted for the size of the family.
    """

    verdict: Verdict
    p_value: float | None
    adjusted_p_value: float | None


def decide_family(differences: Sequence[TestedDifference]) -> tuple[list[FamilyVerdict], int, Correction]:
    """Decide on all differences of a family.

    A difference is *practically equal* if its 95 % interval is within the margin and the adjusted p-value of the two
    one-sided tests is at most 5 %, even if the interval excludes 0: the difference is then known to be small. It is
    *improved* or *degraded* if its 95 % interval excludes 0, its adjusted p-value is at most 5 %, and three answers or
    more changed with some seed. Otherwise it is *not resolved*.

    Returns:
        The verdicts, the number of tests in the family (undefined differences are not tested), and the correction.
    """
    p_values = [difference.compute_p_value() for difference in differences]
    adjusted = _adjust_known(p_values)
    equivalence = _adjust_known([difference.compute_equivalence_p_value() for difference in differences])
    verdicts = [
        FamilyVerdict(_decide(difference, adjusted_p, equivalence_p), p_value, adjusted_p)
        for difference, p_value, adjusted_p, equivalence_p in zip(
            differences, p_values, adjusted, equivalence, strict=True
        )
    ]
    n_tests = sum(p_value is not None for p_value in p_values)
    return verdicts, n_tests, choose_correction(n_tests)


def _adjust_known(p_values: Sequence[float | None]) -> list[float | None]:
    known = iter(adjust_p_values([p_value for p_value in p_values if p_value is not None]))
    return [None if p_value is None else next(known) for p_value in p_values]


def _decide(difference: TestedDifference, adjusted_p: float | None, equivalence_p: float | None) -> Verdict:
    if difference.mean is None:
        return "undefined"
    if difference.variance is None or adjusted_p is None or not difference.is_conclusive:
        return "not resolved"
    alpha = 1 - CONFIDENCE_LEVEL
    half_width = difference.variance.compute_half_width(CONFIDENCE_LEVEL)
    if half_width == 0:  # nothing varies, so nothing is known about what would vary
        return "not resolved"
    if (
        equivalence_p is not None
        and difference.margin is not None
        and abs(difference.mean) + half_width <= difference.margin
        and equivalence_p <= alpha
    ):
        return "practically equal"
    has_changed = difference.n_changed is None or difference.n_changed >= MIN_CHANGED
    if abs(difference.mean) > half_width and adjusted_p <= alpha and has_changed:
        return "improved" if (difference.mean > 0) == difference.higher_is_better else "degraded"
    return "not resolved"
