"""Paired bootstrap over seeds and test examples, with intervals that are corrected for small numbers of seeds.

Test examples and seeds are sampled with replacement, and all variants share the same samples (Efron and Tibshirani,
1993; for crossed factors: Owen, 2007). Plain percentile intervals have two errors: few seeds vary too little among
themselves, and variance that depends on seed *and* example is counted up to three times. So the distances of the
percentiles from the mean are multiplied by one factor: the square root of the unbiased variance over the variance
of the resamples, times Student's t quantile over the normal quantile, at the degrees of freedom of Welch and
Satterthwaite. With one seed only examples are sampled, and the factor is nearly 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import lgamma, pi
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mtl_core.seeding import derive_seed

Floats = NDArray[np.float64]

LEVEL = 0.95
"""The confidence level: the share of such intervals that contain the true value."""
CHUNK_NUMBERS = 4_000_000
"""Upper limit of the size of one chunk of sample counts, `resamples * examples`."""


@dataclass(frozen=True)
class Interval:
    """The mean of a score over seeds, with its confidence interval.

    Attributes:
        mean: The mean; None if it is undefined.
        low: The lower end of the interval; None if it is undefined.
        high: The upper end of the interval; None if it is undefined.
    """

    mean: float | None
    low: float | None
    high: float | None


UNDEFINED = Interval(None, None, None)


def draw_examples(examples: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Sample examples with replacement, in chunks of resamples.

    Yields:
        `(chunk, examples)`: how often each example was sampled, `resamples` rows in total.
    """
    random = np.random.default_rng(derive_seed(seed, "bootstrap", "examples"))
    step = max(1, CHUNK_NUMBERS // max(examples, 1))
    for start in range(0, resamples, step):
        drawn = [
            np.bincount(random.integers(examples, size=examples), minlength=examples)
            for _ in range(min(step, resamples - start))
        ]
        yield np.array(drawn, dtype=np.float64)


def draw_seeds(seeds: int, resamples: int, seed: int) -> Floats:
    """Sample seeds with replacement, `(resamples, seeds)`: the share of each seed; each row sums to 1."""
    random = np.random.default_rng(derive_seed(seed, "bootstrap", "seeds"))
    return random.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds


def interval(figures: Floats, resampled: Floats, shares: Floats, examples: int, level: float = LEVEL) -> Interval:
    """Compute the confidence interval of the mean of a score over seeds.

    Args:
        figures: `(seeds,)`: the score of each seed.
        resampled: `(resamples, seeds)`: the score on the sampled examples; NaN where it is undefined.
        shares: `(resamples, seeds)`: the share of each seed in the sampled seeds.
        examples: Number of examples.
        level: The confidence level.

    Returns:
        The interval; undefined if the score of a seed is undefined. Resamples with an undefined score are excluded.
    """
    if np.isnan(figures).any():
        return UNDEFINED
    mean = float(figures.mean())
    known = ~np.isnan(resampled).any(axis=1)
    if known.sum() < 2:
        return Interval(mean, None, None)
    resampled = resampled[known]
    drawn = (resampled * shares[known]).sum(axis=1)
    spread = float(drawn.var(ddof=1))
    if spread == 0:
        return Interval(mean, mean, mean)
    variance, freedom = _variance(figures, resampled, examples)
    tail = (1 + level) / 2
    stretch = (variance / spread) ** 0.5 * t_quantile(tail, freedom) / NormalDist().inv_cdf(tail)
    low, high = np.quantile(drawn, [1 - tail, tail])
    return Interval(mean, mean + stretch * (float(low) - mean), mean + stretch * (float(high) - mean))


def _variance(figures: Floats, resampled: Floats, examples: int) -> tuple[float, float]:
    """Estimate the variance of the mean over seeds, and its degrees of freedom.

    The variance over seeds and the variance over examples both contain the interaction of the two, which is
    subtracted once.
    """
    seeds = len(figures)
    by_example = float(resampled.mean(axis=1).var(ddof=1))
    if seeds == 1:
        return by_example, max(examples - 1, 1)
    by_seed = float(figures.var(ddof=1)) / seeds
    single = float(resampled.var(axis=0, ddof=1).mean())  # of one seed: includes the interaction
    by_both = max((single - by_example) / (seeds - 1), 0.0)
    variance = max(by_seed + by_example - by_both, by_seed, by_example)
    if variance == 0:  # errors of the seeds cancel: their mean is constant
        return 0.0, max(examples - 1, 1)
    of_seeds = variance - by_example
    freedom = variance**2 / (of_seeds**2 / (seeds - 1) + by_example**2 / max(examples - 1, 1))
    return variance, freedom


def t_quantile(share: float, freedom: float) -> float:
    """Compute the quantile of Student's t at the probability `share`, by integrating the density."""
    values = np.linspace(0, 40, 40_001)
    scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * np.log(freedom * pi)
    density = np.exp(scale - (freedom + 1) / 2 * np.log1p(values**2 / freedom))
    below = 0.5 + np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)]) * values[1]
    return float(np.interp(share, below, values))
