"""The choice of the times that divide examples into training, validation and test data."""

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.01
"""Cuts whose share of examples differs this much from the configured one are compared by their classes."""


def choose_cut(sizes: NDArray[np.int64], counts: NDArray[np.int64], held_out: float, min_before: int, end: int) -> int:
    """Return the index of the first block after the cut: blocks from there up to `end` are held out.

    Of the cuts whose number of examples is within `TOLERANCE` of the configured one, the one whose held-out classes
    are distributed most like those of all examples is chosen; if there is none, the nearest one.

    Args:
        sizes: `(blocks,)`, int64: the number of examples of each block, in the order of time.
        counts: `(blocks, columns)`, int64: the number of units of each block that contain a (task, class).
        held_out: The number of examples to hold out.
        min_before: The smallest number of blocks before the cut; below `end`.
        end: The end of the blocks to divide.
    """
    cuts = np.arange(min_before, end)
    n_held_out = sizes[:end][::-1].cumsum()[::-1][cuts]
    deviations = np.abs(n_held_out - held_out)
    is_near = deviations <= max(deviations.min(), TOLERANCE * sizes.sum())
    cuts, n_held_out, deviations = cuts[is_near], n_held_out[is_near], deviations[is_near]
    first = int(cuts[0])  # counts are summed from here only: cuts are consecutive
    held_out_counts = counts[first:end][::-1].cumsum(axis=0)[::-1][cuts - first]
    frequencies = held_out_counts / n_held_out[:, None]
    gaps = np.abs(frequencies - counts.sum(axis=0) / sizes.sum()).max(axis=1, initial=0.0)
    return int(cuts[np.lexsort((deviations, gaps.round(12)))[0]])
