"""Sample the data set of each batch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import MtlError

WINDOW = 64
"""Number of consecutive draws that are shuffled together."""


def quota_draws(
    shares: Callable[[float], Sequence[float]], batches: Sequence[int], steps: range, total: int, seed: int
) -> NDArray[np.int64]:
    """Draw one data set per step so that the counts follow the shares; rounding errors carry over between windows.

    Independent draws can deviate by 1.5 percentage points even over 10,000 draws. No window crosses the end of an
    epoch, so that every epoch follows the shares as closely as possible.

    Args:
        shares: Function from training progress (0 to 1) to one share per data set.
        batches: Number of batches per data set; their sum is the number of steps per epoch.
        steps: The steps to draw, counted from the first step of the run.
        total: Number of steps of the run.
        seed: Seed for the order of the draws within a window.

    Returns:
        `(len(steps),)`, int64: the index of a data set per step.

    Raises:
        MtlError: If the number of shares is wrong, a share is negative, or no share is positive.
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
    """Split steps into windows that do not cross the end of an epoch."""
    start = steps.start
    while start < steps.stop:
        stop = min(start + WINDOW, (start // epoch + 1) * epoch, steps.stop)
        yield range(start, stop)
        start = stop


def _checked(shares: Sequence[float], sources: int) -> NDArray[np.float64]:
    """Validate shares and normalise them to a sum of 1."""
    stated = np.asarray(shares, dtype=np.float64)
    if stated.shape != (sources,) or not np.isfinite(stated).all() or (stated < 0).any() or not stated.any():
        raise MtlError(
            f"returned the shares {stated.tolist()}, expected {sources} numbers >= 0, at least one of them > 0"
        )
    stated = stated / stated.max()  # the sum of very large shares would be infinite
    normed: NDArray[np.float64] = stated / stated.sum()
    return normed
