"""Confidence intervals and p-values of a mean over seeds and test examples.

Seeds and examples are random and crossed: every seed is scored on the same examples. The variance of the mean has three
parts: variation over seeds, variation over examples that all seeds share, and variation that depends on both. The
variance between the scores of the seeds contains the first and the third part, and has few degrees of freedom. The
second part is estimated from the influences of the examples, and has many.

The two estimates are combined as by Banerjee (1960): the squared half-width of the interval is the sum of the squared
half-widths of each part with its own quantile of Student's t. Such an interval contains the true value at least as
often as stated, for every ratio of the variances of normal distributions.

Answers are discrete. If two networks give the same answer to nearly all examples, few differences are observed, and
their variance is underestimated. As in the adjusted interval for paired proportions by Bonett and Price (2012), changed
answers are added to the variance: three, so that without any observed difference the interval of an accuracy on n
examples is about that of the rule of three, 0 ± 3.4 / n. Scores of seeds are rounded to whole answers, so that two
seeds often have exactly equal scores by chance: the variance of this rounding, a twelfth of a squared answer, is added
to the variance between seeds. And if few examples carry the variance, it has few degrees of freedom.

References:
    K. Banerjee: Approximate Confidence Interval for Linear Functions of Means of k Populations When the Population
        Variances Are Not Equal. Sankhya 22, 1960.
    D. Bonett, R. Price: Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired
        Data. Journal of Educational and Behavioral Statistics 37(4), 2012.
    J. Hanley, A. Lippman-Hand: If Nothing Goes Wrong, Is Everything All Right? JAMA 249(13), 1983 (the rule of three).
    A. Owen: The Pigeonhole Bootstrap. Annals of Applied Statistics 1(2), 2007 (the parts of the variance).
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from mtl_core.statistics.influence import ScoreInfluence

SMALLEST_P_VALUE = 1e-15
MAX_VARIANCE_RATIO = 1.5
"""Largest ratio of the variance of exchanged answers to that of influences that is not taken for an error."""
N_ADDED_CHANGES = 3
"""Number of changed answers that are added to the variance."""


@dataclass(frozen=True)
class SamplingVariance:
    """The parts of the variance of a mean over seeds.

    Attributes:
        seed_variance: Variance of the mean over seeds, estimated between seeds, including that which depends on both
            the seed and the example; 0 for one seed.
        shared_variance: Variance over examples that all seeds share, with added changes; all of it for one seed.
        example_variance: Variance over examples for these seeds, without added changes.
        n_seeds: Number of seeds.
        example_freedom: Degrees of freedom of the variances over examples.
    """

    seed_variance: float
    shared_variance: float
    example_variance: float
    n_seeds: int
    example_freedom: float

    def compute_half_width(self, confidence_level: float) -> float:
        """Compute half the width of the confidence interval.

        Args:
            confidence_level: The share of such intervals that contain the true value, such as 0.95.
        """
        return self._compute_half_width((1 - confidence_level) / 2)

    def _compute_half_width(self, tail_probability: float) -> float:
        """Compute half the width of the interval with a probability in each tail."""
        from scipy.special import stdtrit

        example_quantile = -float(stdtrit(self.example_freedom, tail_probability))
        squared = example_quantile**2 * self.shared_variance
        if self.n_seeds > 1:
            seed_quantile = -float(stdtrit(self.n_seeds - 1, tail_probability))
            squared += seed_quantile**2 * self.seed_variance
        return sqrt(squared)

    def require_example_variance(self, variance: float) -> "SamplingVariance":
        """Return it with a larger variance over examples, if the estimated one is far too small.

        The jackknife leaves out one example. If two labels of a rare class carry a metric together, their influences
        are nearly 0.

        Args:
            variance: Another estimate of the variance over examples for these seeds, from exchanged answers.
        """
        if variance <= MAX_VARIANCE_RATIO * self.example_variance:
            return self
        return replace(self, shared_variance=max(self.shared_variance, variance), example_variance=variance)

    def compute_p_value(self, distance: float) -> float:
        """Compute the p-value of the hypothesis that the mean differs from its estimate by a distance.

        It is 1 minus the highest confidence level whose interval excludes that mean (two-sided).

        Args:
            distance: The distance between the estimate and the hypothesis, 0 or more.
        """
        if distance <= 0:
            return 1.0
        low, high = SMALLEST_P_VALUE, 1.0
        if self._compute_half_width(low / 2) < distance:
            return low
        for _ in range(45):
            middle = sqrt(low * high)
            if self._compute_half_width(middle / 2) < distance:
                high = middle
            else:
                low = middle
        return high


def estimate_sampling_variance(score: ScoreInfluence) -> SamplingVariance | None:
    """Estimate the variance of the mean of a score over seeds.

    Returns:
        The variance; None if the score or an influence is undefined, or there are fewer than two examples.
    """
    n_seeds, n_examples = len(score.scores), score.n_examples
    if np.isnan(score.scores).any() or np.isnan(score.influence).any() or n_examples < 2:
        return None
    correction = n_examples / (n_examples - 1)
    of_mean = correction * float(np.square(score.influence.mean(axis=0)).sum())
    of_single_seed = correction * float(np.square(score.influence).sum(axis=1).mean())
    # Seeds that err on different examples agree in of_single_seed / n_seeds; seeds that err on the same, in all of it.
    common_fraction = of_mean / of_single_seed if of_single_seed > 0 else 1.0
    added_variance = compute_added_variance(score.change, common_fraction)
    freedom = compute_example_freedom(score)
    if n_seeds == 1:
        return SamplingVariance(0.0, of_mean + added_variance, of_mean, 1, freedom)
    interaction = max((of_single_seed - of_mean) / (n_seeds - 1), 0.0)
    return SamplingVariance(
        (float(score.scores.var(ddof=1)) + compute_rounding_variance(score.change)) / n_seeds,
        max(of_mean - interaction, 0.0) + added_variance,
        of_mean,
        n_seeds,
        freedom,
    )


def compute_added_variance(change: float, common_fraction: float) -> float:
    """Return the variance of the added changed answers.

    Args:
        change: The typical change of the score if one example is answered differently.
        common_fraction: The variance of the mean over seeds as a fraction of that of one seed.
    """
    return N_ADDED_CHANGES * change**2 * common_fraction


def compute_rounding_variance(change: float) -> float:
    """Return the variance of a score that is rounded to whole answers, uniform within one change."""
    return change**2 / 12


def compute_example_freedom(score: ScoreInfluence) -> float:
    """Compute the degrees of freedom of a variance over examples: `2 n / (kurtosis - 1)`, at most n - 1.

    They are the n - 1 of a normal distribution if influences are as even, and few if few examples carry the variance:
    rare classes, outliers, or a task with few examples in a mean over tasks.

    Reference: F. Satterthwaite: An Approximate Distribution of Estimates of Variance Components. Biometrics 2(6), 1946.
    """
    squares = np.square(score.influence.mean(axis=0))
    total = float(squares.sum())
    if total == 0:
        return float(score.n_examples - 1)
    kurtosis = score.n_examples * float(np.square(squares).sum()) / total**2
    return float(np.clip(2 * score.n_examples / max(kurtosis - 1, 1e-9), 1.0, score.n_examples - 1))
