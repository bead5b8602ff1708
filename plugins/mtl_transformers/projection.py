"""Principal component analysis of word vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError

Matrix = NDArray[np.float32]
TINY = 1e-5
"""Lower bound of standard deviations in whitening, relative to the largest; smaller ones are noise."""


@dataclass(frozen=True)
class Projection:
    """An affine projection of vectors.

    Attributes:
        mean: `(width,)`, float32: the mean, which is subtracted first.
        matrix: `(width, dimensions)`, float32: the projection matrix.
    """

    mean: Matrix
    matrix: Matrix

    def of(self, vectors: Matrix) -> Matrix:
        """Project vectors `(n, width)` to `(n, dimensions)`, float32."""
        return np.asarray((vectors - self.mean) @ self.matrix, dtype=np.float32)


@dataclass(frozen=True)
class Projecting:
    """Principal component analysis.

    Attributes:
        dimensions: Number of principal components.
        whiten: Whether to scale all components to equal variance.
        norm: Mean Euclidean norm of the projected vectors.
    """

    dimensions: int
    whiten: bool
    norm: float

    def check(self, width: int) -> None:
        """Require vectors with at least as many dimensions as components.

        Raises:
            MtlError: If the vectors have fewer dimensions.
        """
        if self.dimensions > width:
            raise MtlError(f"encoder.dimensions: {self.dimensions}, but the vectors of the model have {width}")

    def fit(self, vectors: Matrix) -> Projection:
        """Fit the projection to vectors, `(n, width)`; without vectors, return a projection to zeros."""
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
