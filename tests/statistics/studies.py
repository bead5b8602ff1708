"""Simulated studies: two variants, several seeds, and test examples that all seeds share."""

from collections.abc import Iterator

import numpy as np

from mtl_core.statistics.influence import Floats, ScoreInfluence, compute_typical_change


def draw_differences(
    n_seeds: int, n_examples: int, by_seed: float, by_example: float, by_both: float, seed: int, n_studies: int
) -> Iterator[Floats]:
    """Yield the differences `(seeds, examples)` of studies; the true mean is 0.

    Args:
        n_seeds: Number of seeds.
        n_examples: Number of examples.
        by_seed: Standard deviation over seeds, as a multiple of one standard error over examples.
        by_example: Standard deviation over examples that all seeds share.
        by_both: Standard deviation over examples that differs with the seed.
        seed: The seed of the simulation.
        n_studies: Number of studies.
    """
    random = np.random.default_rng(seed)
    for _ in range(n_studies):
        yield (
            random.normal(0, by_seed / n_examples**0.5, (n_seeds, 1))
            + random.normal(0, by_example, (1, n_examples))
            + random.normal(0, by_both, (n_seeds, n_examples))
        )


def build_mean_influence(values: Floats, change: float | None = None) -> ScoreInfluence:
    """Build the influences on the mean of values, `(seeds, examples)`.

    Args:
        values: The value of each example.
        change: The typical change of the mean if one answer changes; None computes it from the values.
    """
    influence = (values - values.mean(axis=1, keepdims=True)) / values.shape[1]
    typical_change = compute_typical_change(influence.ravel()) if change is None else change
    return ScoreInfluence(values.mean(axis=1), influence, typical_change, values.shape[1])
