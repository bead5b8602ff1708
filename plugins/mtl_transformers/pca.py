"""Principal component analysis of word vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError

Matrix = NDArray[np.float32]
MIN_RELATIVE_DEVIATION = 1e-5
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

    def transform(self, vectors: Matrix) -> Matrix:
        """Project vectors `(n, width)` to `(n, dimensions)`, float32."""
        return np.asarray((vectors - self.mean) @ self.matrix, dtype=np.float32)


@dataclass(frozen=True)
class PCA:
    """Principal component analysis.

    Attributes:
        dimensions: Number of principal components.
        whiten: Whether to scale all components to equal variance.
        norm: Mean Euclidean norm of the projected vectors.
    """

    dimensions: int
    whiten: bool
    norm: float

    def validate_width(self, width: int) -> None:
        """Require vectors with at least as many dimensions as components.

        Raises:
            MtlError: If the vectors have fewer dimensions.
        """
        if self.dimensions > width:
            raise MtlError(f"encoder.dimensions: {self.dimensions}, but the vectors of the model have {width}")

    def fit(self, vectors: Matrix) -> Projection:
        """Fit the projection to vectors, `(n, width)`; without vectors, return a projection to zeros."""
        width = vectors.shape[1]
        self.validate_width(width)
        if not len(vectors):
            return Projection(np.zeros(width, np.float32), np.zeros((width, self.dimensions), np.float32))
        double_vectors = vectors.astype(np.float64)
        mean = double_vectors.mean(axis=0)
        centred = double_vectors - mean
        variances, directions = np.linalg.eigh(centred.T @ centred / len(double_vectors))
        matrix = directions[:, ::-1][:, : self.dimensions]
        if self.whiten:
            deviations = np.sqrt(np.maximum(variances[::-1][: self.dimensions], 0))
            matrix = matrix / np.maximum(deviations, max(deviations[0], 1e-30) * MIN_RELATIVE_DEVIATION)
        mean_norm = np.linalg.norm(centred @ matrix, axis=1).mean()
        scaled_matrix = matrix * (self.norm / mean_norm if mean_norm > 0 else 1.0)
        return Projection(mean.astype(np.float32), scaled_matrix.astype(np.float32))
