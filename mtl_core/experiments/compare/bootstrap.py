"""Paired bootstrap over seeds and test examples, with intervals that are corrected for small numbers of seeds.

Test examples and seeds are sampled with replacement, and all variants share the same samples (Efron and Tibshirani,
1993; for crossed factors: Owen, 2007). Plain percentile intervals have two errors: few seeds vary too little among
themselves, and variance that depends on seed *and* example is counted up to three times. So the distances of the
percentiles from the mean are multiplied by one factor: the square root of the unbiased variance over the variance
of the resamples, times Student's t quantile over the normal quantile, at the degrees of freedom of Welch and
Satterthwaite. With one seed only examples are sampled, and the factor is nearly 1.
"""

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.comparison import Interval
from mtl_core.seeding import derive_seed

Floats = NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95
"""The confidence level: the share of such intervals that contain the true value."""
CHUNK_NUMBERS = 4_000_000
"""Upper limit of the size of one chunk of sample counts, `resamples * examples`."""


UNDEFINED = Interval(None, None, None)


def draw_examples(n_examples: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Sample examples with replacement, in chunks of resamples.

    Yields:
        `(chunk, examples)`: how often each example was sampled, `resamples` rows in total.
    """
    random = np.random.default_rng(derive_seed(seed, "bootstrap", "examples"))
    chunk_size = max(1, CHUNK_NUMBERS // max(n_examples, 1))
    for start in range(0, resamples, chunk_size):
        example_counts = [
            np.bincount(random.integers(n_examples, size=n_examples), minlength=n_examples)
            for _ in range(min(chunk_size, resamples - start))
        ]
        yield np.array(example_counts, dtype=np.float64)


def draw_seeds(n_seeds: int, resamples: int, seed: int) -> Floats:
    """Sample seeds with replacement, `(resamples, seeds)`: the share of each seed; each row sums to 1."""
    random = np.random.default_rng(derive_seed(seed, "bootstrap", "seeds"))
    return random.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples) / n_seeds


def compute_interval(
    seed_scores: Floats,
    resampled: Floats,
    seed_shares: Floats,
    n_examples: int,
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Interval:
    """Compute the confidence interval of the mean of a score over seeds.

    Args:
        seed_scores: `(seeds,)`: the score of each seed.
        resampled: `(resamples, seeds)`: the score on the sampled examples; NaN where it is undefined.
        seed_shares: `(resamples, seeds)`: the share of each seed in the sampled seeds.
        n_examples: Number of examples.
        confidence_level: The confidence level.

    Returns:
        The interval; undefined if the score of a seed is undefined. Resamples with an undefined score are excluded.
    """
    if np.isnan(seed_scores).any():
        return UNDEFINED
    mean = float(seed_scores.mean())
    is_defined = ~np.isnan(resampled).any(axis=1)
    if is_defined.sum() < 2:
        return Interval(mean, None, None)
    resampled = resampled[is_defined]
    resampled_means = (resampled * seed_shares[is_defined]).sum(axis=1)
    resampled_variance = float(resampled_means.var(ddof=1))
    if resampled_variance == 0:
        return Interval(mean, mean, mean)
    from scipy.stats import t

    variance, degrees_of_freedom = _estimate_variance(seed_scores, resampled, n_examples)
    upper_probability = (1 + confidence_level) / 2
    stretch = (
        (variance / resampled_variance) ** 0.5
        * float(t.ppf(upper_probability, degrees_of_freedom))
        / NormalDist().inv_cdf(upper_probability)
    )
    low, high = np.quantile(resampled_means, [1 - upper_probability, upper_probability])
    return Interval(mean, mean + stretch * (float(low) - mean), mean + stretch * (float(high) - mean))


def _estimate_variance(seed_scores: Floats, resampled: Floats, n_examples: int) -> tuple[float, float]:
    """Estimate the variance of the mean over seeds, and its degrees of freedom.

    The variance over seeds and the variance over examples both contain the interaction of the two, which is
    subtracted once.
    """
    n_seeds = len(seed_scores)
    example_variance = float(resampled.mean(axis=1).var(ddof=1))
    if n_seeds == 1:
        return example_variance, max(n_examples - 1, 1)
    seed_variance = float(seed_scores.var(ddof=1)) / n_seeds
    single_seed_variance = float(resampled.var(axis=0, ddof=1).mean())  # of one seed: includes the interaction
    interaction_variance = max((single_seed_variance - example_variance) / (n_seeds - 1), 0.0)
    variance = max(seed_variance + example_variance - interaction_variance, seed_variance, example_variance)
    if variance == 0:  # errors of the seeds cancel: their mean is constant
        return 0.0, max(n_examples - 1, 1)
    remaining_variance = variance - example_variance
    degrees_of_freedom = variance**2 / (
        remaining_variance**2 / (n_seeds - 1) + example_variance**2 / max(n_examples - 1, 1)
    )
    return variance, degrees_of_freedom
