"""Mean and deviation of numbers that do not fit into memory together."""

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.number_space import NumberSpace
from mtl_core.errors import MtlError


class StreamingMoments:
    """Mean, deviation and range per output, merged block by block in float64 (Chan et al., 1983).

    Args:
        n_outputs: Numbers per label.

    Example:
        >>> moments = StreamingMoments(1)
        >>> moments.update(np.array([[1.0], [3.0]]))
        >>> moments.update(np.array([[5.0], [np.nan]]))
        >>> moments.mean
        array([3.])

    Reference: T. Chan, G. Golub, R. LeVeque: Algorithms for Computing the Sample Variance. The American Statistician
    37(3), 1983.
    """

    def __init__(self, n_outputs: int) -> None:
        self.counts = np.zeros(n_outputs)
        self.mean: NDArray[np.float64] = np.zeros(n_outputs)
        self._squares = np.zeros(n_outputs)
        self._minimum = np.full(n_outputs, np.inf)
        self._maximum = np.full(n_outputs, -np.inf)

    def update(self, numbers: NDArray[np.float64]) -> None:
        """Add numbers `(n, outputs)`; NaN is left out."""
        present = ~np.isnan(numbers)
        counts = present.sum(axis=0)
        if not counts.any():
            return
        block_mean = np.where(present, numbers, 0).sum(axis=0) / np.maximum(counts, 1)
        squares = np.where(present, (numbers - block_mean) ** 2, 0).sum(axis=0)
        total = self.counts + counts
        share = counts / np.maximum(total, 1)
        difference = block_mean - self.mean
        self._squares += squares + difference**2 * self.counts * share
        self.mean = self.mean + difference * share
        self.counts = total
        self._minimum = np.minimum(self._minimum, np.where(present, numbers, np.inf).min(axis=0))
        self._maximum = np.maximum(self._maximum, np.where(present, numbers, -np.inf).max(axis=0))

    def fit_space(self, vector: bool, standardise: bool) -> NumberSpace:
        """Return the label space of the numbers so far; constant numbers are only centred.

        Raises:
            MtlError: If an output has no number.
        """
        if not self.counts.all():
            raise MtlError("no training pixel has a label to compute the scale of the numbers from")
        if not standardise:
            zeros, ones = np.zeros_like(self.mean), np.ones_like(self.mean)
            return NumberSpace(zeros.tolist(), ones.tolist(), vector, self.mean.tolist())
        deviation = np.sqrt(self._squares / self.counts)
        scale = np.where((self._maximum == self._minimum) | (deviation == 0), 1.0, deviation)
        return NumberSpace(self.mean.tolist(), scale.tolist(), vector, self.mean.tolist())
