"""Vectors of texts, and their principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.encoder import Encoder

TEXTS_AT_ONCE = 1024


def text_vectors(encoder: Encoder[Any, Any], texts: Sequence[object]) -> NDArray[np.float32]:
    """Average the word states of each text, `(texts, width)`, float32.

    Args:
        encoder: An encoder whose items are word states, `(words, width)`.
        texts: The texts, or lists of words.

    Raises:
        MtlError: If an input is not a text, or there is no such model.
    """
    encoder.fit([])
    means = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        parsed = encoder.parse([texts[row] for row in range(start, min(start + TEXTS_AT_ONCE, len(texts)))])
        means += [states.mean(axis=0, dtype=np.float32) for states in encoder.encode(parsed)]
    encoder.release()
    return np.stack(means)


def principal_components(
    vectors: NDArray[np.float32], train: NDArray[np.int64], dimensions: int
) -> NDArray[np.float32]:
    """Project vectors to their first principal components.

    Args:
        vectors: `(texts, width)`, float32.
        train: Row indices from which components and scale are computed.
        dimensions: Maximum number of components.

    Returns:
        `(texts, dimensions)`, float32: on the training rows, mean 0 and a variance of 1 on average over dimensions.
    """
    known = vectors[train].astype(np.float64)
    mean = known.mean(axis=0)
    _, sizes, axes = np.linalg.svd(known - mean, full_matrices=False)
    axes = axes[: min(dimensions, int((sizes > 1e-9 * sizes[0]).sum()) or 1)]
    axes = (
        axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    )  # independent of the library's signs
    found = (vectors - mean) @ axes.T
    scale = found[train].std(axis=0)
    return np.asarray(found / max(float(np.sqrt((scale**2).mean())), 1e-12), dtype=np.float32)
