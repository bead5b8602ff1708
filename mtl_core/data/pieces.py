"""Tokens that the network reads in pieces: where their labels stand, and what attention they get."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.label_space import MISSING


def missing_of(dtype: np.dtype[Any]) -> float:
    """The target that stands for a missing label: NaN among numbers, a code of its own among codes."""
    return np.nan if np.issubdtype(dtype, np.floating) else MISSING


def first_pieces(pieces: Sequence[int]) -> list[int]:
    """The place of each token's first piece.

    Args:
        pieces: Of each piece, the token; rising, none left out.
    """
    return [place for place, token in enumerate(pieces) if place == 0 or token != pieces[place - 1]]


def at_first_pieces(targets: NDArray[Any], pieces: Sequence[int] | None) -> NDArray[Any]:
    """Lay targets of tokens out by pieces: a token's target stands at its first piece, the others are missing.

    Args:
        targets: `(tokens,)`.
        pieces: Of each piece, the token; None if each token is one piece.

    Returns:
        `(pieces,)`.
    """
    if pieces is None:
        return targets
    spread = np.full(len(pieces), missing_of(targets.dtype), dtype=targets.dtype)
    spread[first_pieces(pieces)[: len(targets)]] = targets
    return spread


def summed_by_token(weights: Sequence[float], pieces: Sequence[int] | None) -> Sequence[float]:
    """Give the attention that each token gets: that of its pieces together.

    Args:
        weights: `(pieces,)`.
        pieces: Of each piece, the token; None if each token is one piece.

    Returns:
        `(tokens,)`.
    """
    if pieces is None:
        return weights
    sums: list[float] = np.bincount(pieces, weights=weights).tolist()
    return sums
