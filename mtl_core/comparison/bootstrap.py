"""Paired bootstrap over seeds and test examples, with intervals that few seeds do not make too narrow.

Test examples and seeds are drawn with replacement, the same draws for everything that is compared (Efron and
Tibshirani, 1993; for crossed factors: Owen, 2007). Taken as they are, percentiles of such figures are wrong in two
ways: a few seeds vary too little among themselves, and what differs by seed *and* example is counted up to three
times. So the percentiles' distances from the mean are stretched or shrunk by one factor: the square root of the
unbiased variance over that of the draws, times Student's over the normal quantile, at the degrees of freedom of
Welch and Satterthwaite. With one seed only examples are drawn, and the factor is nearly 1.
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
"""The share of such intervals that hold the true value."""
CHUNK_NUMBERS = 4_000_000
"""How often examples were drawn, numbers that are held at a time."""


@dataclass(frozen=True)
class Interval:
    """A figure, the mean over seeds, and where the true one lies.

    Attributes:
        mean: The figure; None if it is undefined.
        low: The interval's lower end; None if it is undefined.
        high: The upper end.
    """

    mean: float | None
    low: float | None
    high: float | None


UNDEFINED = Interval(None, None, None)


def draw_examples(examples: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Draw examples with replacement, some resamples at a time.

    Yields:
        `(some, examples)`: how often each example was drawn, `resamples` rows in all.
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
    """Draw seeds with replacement, `(resamples, seeds)`: the share of each; rows add up to 1."""
    random = np.random.default_rng(derive_seed(seed, "bootstrap", "seeds"))
    return random.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds


def interval(figures: Floats, resampled: Floats, shares: Floats, examples: int, level: float = LEVEL) -> Interval:
    """Say where a figure lies.

    Args:
        figures: `(seeds,)`: the figure of each seed.
        resampled: `(resamples, seeds)`: the same of drawn examples; NaN where it is undefined.
        shares: `(resamples, seeds)`: the drawn seeds.
        examples: How many examples there are.
        level: How sure.

    Returns:
        The interval; undefined if the figure of a seed is. Resamples whose figure is undefined are left out.
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

    Both the seeds' variance and that of drawn examples hold what differs by seed and example; it is taken off once.
    """
    seeds = len(figures)
    by_example = float(resampled.mean(axis=1).var(ddof=1))
    if seeds == 1:
        return by_example, max(examples - 1, 1)
    by_seed = float(figures.var(ddof=1)) / seeds
    single = float(resampled.var(axis=0, ddof=1).mean())  # of one seed: all of what differs by seed and example
    by_both = max((single - by_example) / (seeds - 1), 0.0)
    variance = max(by_seed + by_example - by_both, by_seed, by_example)
    if variance == 0:  # seeds that err on each other's right answers: their mean is always the same
        return 0.0, max(examples - 1, 1)
    of_seeds = variance - by_example
    freedom = variance**2 / (of_seeds**2 / (seeds - 1) + by_example**2 / max(examples - 1, 1))
    return variance, freedom


def t_quantile(share: float, freedom: float) -> float:
    """Student's t: the value below which a share of it lies, by integrating the density."""
    values = np.linspace(0, 40, 40_001)
    scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * np.log(freedom * pi)
    density = np.exp(scale - (freedom + 1) / 2 * np.log1p(values**2 / freedom))
    below = 0.5 + np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)]) * values[1]
    return float(np.interp(share, below, values))
