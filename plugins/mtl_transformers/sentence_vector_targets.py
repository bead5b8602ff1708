"""The targets of the task `sentence-vector`: vectors of texts, and their principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data import Encoder

BATCH_SIZE = 1024


def compute_text_vectors(encoder: Encoder[Any, Any], texts: Sequence[object]) -> NDArray[np.float32]:
    """Average the word states of each text, `(texts, width)`, float32.

    Args:
        encoder: An encoder whose items are word states, `(words, width)`.
        texts: The texts, or lists of words.

    Raises:
        MtlError: If an input is not a text, or there is no such model.
    """
    encoder.fit([])
    means = []
    for start in range(0, len(texts), BATCH_SIZE):
        parsed_texts = encoder.parse([texts[row] for row in range(start, min(start + BATCH_SIZE, len(texts)))])
        means += [states.mean(axis=0, dtype=np.float32) for states in encoder.encode(parsed_texts)]
    encoder.unload()
    return np.stack(means)


def project_to_principal_components(
    vectors: NDArray[np.float32], train_rows: NDArray[np.int64], max_dimensions: int
) -> NDArray[np.float32]:
    """Project vectors to their first principal components.

    Args:
        vectors: `(texts, width)`, float32.
        train_rows: Row indices from which components and scale are computed.
        max_dimensions: Maximum number of components.

    Returns:
        `(texts, dimensions)`, float32: on the training rows, mean 0 and a variance of 1 on average over dimensions.
    """
    training_vectors = vectors[train_rows].astype(np.float64)
    mean = training_vectors.mean(axis=0)
    _, singular_values, axes = np.linalg.svd(training_vectors - mean, full_matrices=False)
    axes = axes[: min(max_dimensions, int((singular_values > 1e-9 * singular_values[0]).sum()) or 1)]
    axes = (
        axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    )  # independent of the library's signs
    projected = (vectors - mean) @ axes.T
    scale = projected[train_rows].std(axis=0)
    return np.asarray(projected / max(float(np.sqrt((scale**2).mean())), 1e-12), dtype=np.float32)
