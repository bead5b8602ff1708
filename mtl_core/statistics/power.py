"""Plan comparisons: the smallest difference that a number of seeds resolves.

The distribution of the half-width of the interval is that of `SamplingVariance` if the parts of the variance are known:
the variance between seeds has a chi-squared distribution, and the others are estimated from many examples.
"""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np

from mtl_core.statistics.influence import ScoreInfluence
from mtl_core.statistics.sampling_variance import (
    SamplingVariance,
    compute_added_variance,
    compute_rounding_variance,
    estimate_sampling_variance,
)

POWER = 0.8
"""The default power: the probability that a real difference is resolved."""
N_QUANTILES = 200


@dataclass(frozen=True)
class VarianceComponents:
    """The parts of the variance of a difference, for one seed.

    Attributes:
        seed: Variance over seeds only.
        shared: Variance over examples that all seeds share, without added changes.
        both: Variance over examples that differs with the seed.
        change: The typical change of the score if one example is answered differently.
        example_freedom: Degrees of freedom of the variances over examples.
    """

    seed: float
    shared: float
    both: float
    change: float
    example_freedom: float

    def build_sampling_variance(self, n_seeds: int, seed_factor: float = 1.0) -> SamplingVariance:
        """Build the variance of the mean over seeds, as it would be estimated.

        Args:
            n_seeds: Number of seeds.
            seed_factor: The estimated variance between seeds as a multiple of the true one.
        """
        of_examples = self.shared + self.both
        common_fraction = (self.shared + self.both / n_seeds) / of_examples if of_examples > 0 else 1.0
        added_variance = compute_added_variance(self.change, common_fraction)
        return SamplingVariance(
            (seed_factor * (self.seed + self.both) + compute_rounding_variance(self.change)) / n_seeds,
            self.shared + added_variance,
            self.shared + self.both / n_seeds,
            n_seeds,
            self.example_freedom,
        )


def estimate_components(difference: ScoreInfluence) -> VarianceComponents | None:
    """Estimate the parts of the variance of a difference from a pilot, without bias in the median.

    Returns:
        The parts; None if the difference is undefined or has fewer than two seeds.
    """
    from scipy.special import chdtri

    variance = estimate_sampling_variance(difference)
    n_seeds = len(difference.scores)
    if variance is None or n_seeds < 2:
        return None
    correction = difference.n_examples / (difference.n_examples - 1)
    of_mean = variance.example_variance
    of_single_seed = correction * float(np.square(difference.influence).sum(axis=1).mean())
    both = max((of_single_seed - of_mean) * n_seeds / (n_seeds - 1), 0.0)
    shared = max(of_mean - both / n_seeds, 0.0)
    # Half of all estimates with few degrees of freedom are far too small; this one is too small in half of all pilots.
    median_factor = float(chdtri(n_seeds - 1, 0.5)) / (n_seeds - 1)
    seed = max(float(difference.scores.var(ddof=1)) / median_factor - both, 0.0)
    return VarianceComponents(seed, shared, both, difference.change, variance.example_freedom)


def compute_resolvable_difference(
    components: VarianceComponents, n_seeds: int, alpha: float, power: float = POWER
) -> float:
    """Compute the smallest true difference whose interval excludes 0 with a given probability.

    Args:
        components: The parts of the variance.
        n_seeds: Number of seeds.
        alpha: The level of the test; for the first finding of a family, 5 % divided by its size.
        power: The probability.

    Returns:
        The difference; infinity with fewer than two seeds.
    """
    from scipy.special import chdtri, ndtr

    if n_seeds < 2:
        return inf
    tail_probabilities = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    factors = chdtri(n_seeds - 1, tail_probabilities) / (n_seeds - 1)
    half_widths = np.array(
        [components.build_sampling_variance(n_seeds, factor).compute_half_width(1 - alpha) for factor in factors]
    )
    error = sqrt(components.seed / n_seeds + components.shared + components.both / n_seeds)
    if error == 0:
        return float(half_widths[0])

    def compute_power(difference: float) -> float:
        return float(ndtr((difference - half_widths) / error).mean())

    low, high = 0.0, float(half_widths.max()) + 10 * error
    for _ in range(60):
        middle = (low + high) / 2
        if compute_power(middle) < power:
            low = middle
        else:
            high = middle
    return high
