"""Centring vectors and bringing them to fewer dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError

Matrix = NDArray[np.float32]
TINY = 1e-5
"""Deviations below this share of the largest are noise; whitening would blow them up."""


@dataclass(frozen=True)
class Projection:
    """A linear map of vectors.

    Attributes:
        mean: `(width,)`: is taken off first.
        matrix: `(width, dimensions)`.
    """

    mean: Matrix
    matrix: Matrix

    def of(self, vectors: Matrix) -> Matrix:
        """From `(n, width)` to `(n, dimensions)`."""
        return np.asarray((vectors - self.mean) @ self.matrix, dtype=np.float32)


@dataclass(frozen=True)
class Projecting:
    """Principal component analysis.

    Attributes:
        dimensions: How many directions are kept, those of the largest variance.
        whiten: Whether all are brought to one variance.
        norm: The mean length that vectors are brought to.
    """

    dimensions: int
    whiten: bool
    norm: float

    def check(self, width: int) -> None:
        """Refuse more dimensions than there are.

        Raises:
            MtlError: If there are fewer.
        """
        if self.dimensions > width:
            raise MtlError(f"encoder.dimensions: {self.dimensions}, but the model's vectors have {width} numbers")

    def fit(self, vectors: Matrix) -> Projection:
        """Find the map for some vectors, `(n, width)`; of none, a map to zeros."""
        width = vectors.shape[1]
        self.check(width)
        if not len(vectors):
            return Projection(np.zeros(width, np.float32), np.zeros((width, self.dimensions), np.float32))
        exact = vectors.astype(np.float64)
        mean = exact.mean(axis=0)
        centred = exact - mean
        variances, directions = np.linalg.eigh(centred.T @ centred / len(exact))
        matrix = directions[:, ::-1][:, : self.dimensions]
        if self.whiten:
            deviations = np.sqrt(np.maximum(variances[::-1][: self.dimensions], 0))
            matrix = matrix / np.maximum(deviations, max(deviations[0], 1e-30) * TINY)
        length = np.linalg.norm(centred @ matrix, axis=1).mean()
        scaled = matrix * (self.norm / length if length > 0 else 1.0)
        return Projection(mean.astype(np.float32), scaled.astype(np.float32))
