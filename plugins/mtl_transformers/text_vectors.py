"""A vector for each text, and its principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.encoder import Encoder

TEXTS_AT_ONCE = 1024


def text_vectors(encoder: Encoder[Any, Any], texts: Sequence[object]) -> NDArray[np.float32]:
    """Average the states of each text's words, `(texts, width)`.

    Args:
        encoder: Gives states of words, `(words, width)`.
        texts: The texts, or lists of words.

    Raises:
        MtlError: If one of them is no text, or there is no such model.
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
    """Bring vectors to their first principal components.

    Args:
        vectors: `(texts, width)`.
        train: The rows that components and scale are learned from.
        dimensions: How many, at most as many as there are.

    Returns:
        `(texts, dimensions)`: of mean 0 and, on average over the dimensions, of variance 1 on the training rows.
    """
    known = vectors[train].astype(np.float64)
    mean = known.mean(axis=0)
    _, sizes, axes = np.linalg.svd(known - mean, full_matrices=False)
    axes = axes[: min(dimensions, int((sizes > 1e-9 * sizes[0]).sum()) or 1)]
    axes = (
        axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    )  # whatever the library's
    found = (vectors - mean) @ axes.T
    scale = found[train].std(axis=0)
    return np.asarray(found / max(float(np.sqrt((scale**2).mean())), 1e-12), dtype=np.float32)
