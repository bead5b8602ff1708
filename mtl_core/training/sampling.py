"""From which data set the next batch comes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import MtlError

WINDOW = 64
"""Draws that are shuffled among each other."""


def quota_draws(
    shares: Callable[[float], Sequence[float]], batches: Sequence[int], steps: range, total: int, seed: int
) -> NDArray[np.int64]:
    """Draw so that counts follow the shares: what a window of draws owes a data set is carried into the next.

    Independent draws would be off by 1.5 points now and then even in 10,000 of them. No window reaches into the
    next epoch, so that whole epochs keep to the shares as nearly as they can.

    Args:
        shares: From where the run stands (0 to 1) to each data set's share.
        batches: How many batches each data set's training examples make; an epoch has as many steps as all of them.
        steps: Steps of the run, counted from its first.
        total: Steps of the whole run.
        seed: Orders the draws of a window.

    Returns:
        `(len(steps),)`, int64: a data set a step.

    Raises:
        MtlError: If shares are not one a data set, are negative, or none is positive.
    """
    random = np.random.default_rng(seed)
    owed: NDArray[np.float64] = np.zeros(len(batches))
    draws = []
    for window in _windows(steps, sum(batches)):
        for step in window:
            owed = owed + _checked(shares(step / max(1, total - 1)), len(batches))
        counts = np.maximum(np.floor(owed + 1e-9), 0).astype(np.int64)
        while counts.sum() < len(window):
            counts[np.argmax(owed - counts)] += 1
        while counts.sum() > len(window):
            counts[np.argmin(np.where(counts > 0, owed - counts, np.inf))] -= 1
        owed = owed - counts
        draws.append(random.permutation(np.repeat(np.arange(len(counts)), counts)))
    return np.concatenate(draws) if draws else np.zeros(0, dtype=np.int64)


def _windows(steps: range, epoch: int) -> Iterator[range]:
    """Cut steps into windows that end where epochs end."""
    start = steps.start
    while start < steps.stop:
        stop = min(start + WINDOW, (start // epoch + 1) * epoch, steps.stop)
        yield range(start, stop)
        start = stop


def _checked(shares: Sequence[float], sources: int) -> NDArray[np.float64]:
    """Bring shares to a sum of 1."""
    stated = np.asarray(shares, dtype=np.float64)
    if stated.shape != (sources,) or not np.isfinite(stated).all() or (stated < 0).any() or not stated.any():
        raise MtlError(
            f"gave the shares {stated.tolist()}, expected {sources} numbers from 0 on, not all of them 0"
        )
    stated = stated / stated.max()  # the sum of very large ones would be infinite
    normed: NDArray[np.float64] = stated / stated.sum()
    return normed
