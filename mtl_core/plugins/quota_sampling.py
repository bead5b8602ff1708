"""Sample the data set of each batch."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.errors import MtlError

WINDOW_SIZE = 64
"""Number of consecutive draws that are shuffled together."""


def draw_by_quota(
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
    residuals: NDArray[np.float64] = np.zeros(len(batches))
    draws = []
    for window in _split_into_windows(steps, sum(batches)):
        for step in window:
            residuals = residuals + _normalize_shares(shares(step / max(1, total - 1)), len(batches))
        counts = np.maximum(np.floor(residuals + 1e-9), 0).astype(np.int64)
        while counts.sum() < len(window):
            counts[np.argmax(residuals - counts)] += 1
        while counts.sum() > len(window):
            counts[np.argmin(np.where(counts > 0, residuals - counts, np.inf))] -= 1
        residuals = residuals - counts
        draws.append(random.permutation(np.repeat(np.arange(len(counts)), counts)))
    return np.concatenate(draws) if draws else np.zeros(0, dtype=np.int64)


def _split_into_windows(steps: range, steps_per_epoch: int) -> Iterator[range]:
    """Split steps into windows that do not cross the end of an epoch."""
    start = steps.start
    while start < steps.stop:
        stop = min(start + WINDOW_SIZE, (start // steps_per_epoch + 1) * steps_per_epoch, steps.stop)
        yield range(start, stop)
        start = stop


def _normalize_shares(shares: Sequence[float], n_sources: int) -> NDArray[np.float64]:
    """Validate shares and normalise them to a sum of 1."""
    values = np.asarray(shares, dtype=np.float64)
    if values.shape != (n_sources,) or not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise MtlError(
            f"returned the shares {values.tolist()}, expected {n_sources} numbers >= 0, at least one of them > 0"
        )
    values = values / values.max()  # the sum of very large shares would be infinite
    normalized: NDArray[np.float64] = values / values.sum()
    return normalized
