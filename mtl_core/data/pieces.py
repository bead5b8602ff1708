"""Align the labels and attention weights of tokens with their subwords."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.label_space import MISSING


def missing_of(dtype: np.dtype[Any]) -> float:
    """Return the target of a missing label: NaN for floating-point dtypes, otherwise `MISSING`."""
    return np.nan if np.issubdtype(dtype, np.floating) else MISSING


def first_pieces(pieces: Sequence[int]) -> list[int]:
    """Return the index of each token's first subword.

    Args:
        pieces: The token index of each subword; non-decreasing, without gaps.
    """
    return [place for place, token in enumerate(pieces) if place == 0 or token != pieces[place - 1]]


def at_first_pieces(targets: NDArray[Any], pieces: Sequence[int] | None) -> NDArray[Any]:
    """Expand targets from tokens to subwords: the first subword gets the target, the others are missing.

    Args:
        targets: `(tokens,)`.
        pieces: The token index of each subword; None if each token is one subword.

    Returns:
        `(subwords,)`, dtype of `targets`.
    """
    if pieces is None:
        return targets
    spread = np.full(len(pieces), missing_of(targets.dtype), dtype=targets.dtype)
    spread[first_pieces(pieces)[: len(targets)]] = targets
    return spread


def summed_by_token(weights: Sequence[float], pieces: Sequence[int] | None) -> Sequence[float]:
    """Sum the attention weights of subwords per token.

    Args:
        weights: `(subwords,)`.
        pieces: The token index of each subword; None if each token is one subword.

    Returns:
        `(tokens,)`.
    """
    if pieces is None:
        return weights
    sums: list[float] = np.bincount(pieces, weights=weights).tolist()
    return sums
