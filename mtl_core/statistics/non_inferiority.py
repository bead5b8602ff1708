"""Tests of non-inferiority: whether a score got worse by less than a margin.

A difference that is not significant does not show that two scores are equal: few examples make every difference
insignificant. A test of non-inferiority turns the burden of proof around. Its null hypothesis is that the new score is
worse than the old one by the margin or more, so that too few examples lead to "not shown", and never to a false proof.

Both networks answer the same examples, so the test is paired: its variance is that of the difference per example, from
the influence of each example on the difference (`sampling_variance`). For accuracy, it depends on the share of examples
that exactly one of the two networks answers correctly, and a few changed answers are added to it, as for the interval
of paired proportions by Bonett and Price (2012). The score interval of Tango (1998) serves the same purpose for paired
proportions; tests compare the two.

References:
    S. Wellek: Testing Statistical Hypotheses of Equivalence and Noninferiority. 2nd edition, 2010.
    T. Tango: Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design.
        Statistics in Medicine 17(8), 1998.
    D. Bonett, R. Price: Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired
        Data. Journal of Educational and Behavioral Statistics 37(4), 2012.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt
from typing import Literal

from mtl_core.statistics.multiple_testing import adjust_p_values
from mtl_core.statistics.sampling_variance import SamplingVariance

NonInferiorityVerdict = Literal["non-inferior", "worse", "not shown"]

LEVEL = 0.05
"""The level of the tests, which are one-sided: the largest probability of a false proof."""


@dataclass(frozen=True)
class ScoreChange:
    """The change of a score, measured on the same examples before and after.

    Attributes:
        improvement: The change in the direction of better scores: negative if the score got worse. None if a score is
            undefined.
        variance: The variance of the change; None if it is unknown.
        margin: The largest deterioration that is acceptable, 0 or more.
        answer_change: The change of the score if one example is answered differently, such as 1 / n for accuracy; 0 if
            examples can change by any amount, as errors do.
        n_examples: Number of examples.
    """

    improvement: float | None
    variance: SamplingVariance | None
    margin: float
    answer_change: float = 0.0
    n_examples: int = 0

    def compute_p_value(self) -> float:
        """Compute the p-value of the hypothesis that the score got worse by the margin or more; 1 if it is unknown.

        The variance is estimated under the hypothesis, as by a score test: few observed losses come with an estimate
        of the variance that is too small. If the hypothesis is true, at least `margin / answer_change` answers have
        changed for the worse, and `distance / answer_change` more than were observed; half of these are added.
        """
        if self.improvement is None or self.variance is None:
            return 1.0
        distance = self.improvement + self.margin
        smallest = self.margin * self.answer_change - (self.margin**2 / self.n_examples if self.n_examples else 0.0)
        variance = max(self.variance.shared_variance, smallest) + max(distance, 0.0) * self.answer_change / 2
        return _compute_upper_tail(distance, replace(self.variance, shared_variance=variance))

    def compute_worse_p_value(self) -> float:
        """Compute the p-value of the hypothesis that the score did not get worse; 1 if it is unknown."""
        if self.improvement is None:
            return 1.0
        return _compute_upper_tail(-self.improvement, self.variance)

    def compute_lower_bound(self) -> float | None:
        """Compute the lower end of the one-sided 95 % confidence interval of the improvement; None if it is unknown."""
        if self.improvement is None or self.variance is None:
            return None
        return self.improvement - self.variance.compute_half_width(1 - 2 * LEVEL)

    def estimate_needed_labels(self, n_labels: int) -> int | None:
        """Estimate how many labels show non-inferiority if the scores are equal; None if it is unknown.

        The share of examples that are answered differently is assumed to stay as it is.

        Args:
            n_labels: The number of labels of the measurement.
        """
        from scipy.special import ndtri

        if self.variance is None or self.margin == 0:
            return None
        by_examples = self.variance.example_variance
        added = self.variance.shared_variance - by_examples  # shrinks with the square of the number of labels
        target = (self.margin / -float(ndtri(LEVEL))) ** 2
        if added > 0:
            ratio = (sqrt(by_examples**2 + 4 * added * target) - by_examples) / (2 * added)
        elif by_examples > 0:
            ratio = target / by_examples
        else:
            return None
        return max(ceil(n_labels / ratio), 1)


@dataclass(frozen=True)
class NonInferiority:
    """The result of a test.

    Attributes:
        verdict: `non-inferior` if the score is shown to be worse by less than the margin, or not at all. Otherwise
            `worse` if it is shown to be worse, by whatever amount, or `not shown`.
        p_value: The p-value of "worse by the margin or more", adjusted for the number of tests.
        lower_bound: The lower end of the one-sided 95 % confidence interval of the improvement, for this score alone.
    """

    verdict: NonInferiorityVerdict
    p_value: float
    lower_bound: float | None


def decide_non_inferiority(changes: Sequence[ScoreChange]) -> list[NonInferiority]:
    """Decide for a family of scores whether each got worse by less than its margin.

    P-values are adjusted for the number of scores (Holm), so that each verdict can be stated alone. If a network is
    accepted only if all of its scores are non-inferior, it is accepted falsely with a probability of at most 5 %.
    """
    p_values = adjust_p_values([change.compute_p_value() for change in changes])
    worse_p_values = adjust_p_values([change.compute_worse_p_value() for change in changes])
    return [
        NonInferiority(_decide(p_value, worse_p_value), p_value, change.compute_lower_bound())
        for change, p_value, worse_p_value in zip(changes, p_values, worse_p_values, strict=True)
    ]


def _decide(p_value: float, worse_p_value: float) -> NonInferiorityVerdict:
    if p_value <= LEVEL:
        return "non-inferior"
    return "worse" if worse_p_value <= LEVEL else "not shown"


def _compute_upper_tail(distance: float, variance: SamplingVariance | None) -> float:
    """Compute the one-sided p-value of an estimate that lies above the hypothesis by a distance."""
    if variance is None or variance.compute_half_width(1 - LEVEL) == 0:  # nothing varies, so nothing is known
        return 1.0
    tail = variance.compute_p_value(abs(distance)) / 2
    return tail if distance > 0 else 1 - tail
