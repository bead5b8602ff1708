"""Align the labels and attention weights of tokens with their subwords."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.label_space import MISSING


def get_missing_target(dtype: np.dtype[Any]) -> float:
    """Return the target of a missing label: NaN for floating-point dtypes, otherwise `MISSING`."""
    return np.nan if np.issubdtype(dtype, np.floating) else MISSING


def find_first_subwords(subword_to_token: Sequence[int]) -> list[int]:
    """Return the index of each token's first subword.

    Args:
        subword_to_token: The token index of each subword; non-decreasing, without gaps.
    """
    return [index for index, token in enumerate(subword_to_token) if index == 0 or token != subword_to_token[index - 1]]


def expand_to_subwords(targets: NDArray[Any], subword_to_token: Sequence[int] | None) -> NDArray[Any]:
    """Expand targets from tokens to subwords: the first subword gets the target, the others are missing.

    Args:
        targets: `(tokens,)`.
        subword_to_token: The token index of each subword; None if each token is one subword.

    Returns:
        `(subwords,)`, dtype of `targets`.
    """
    if subword_to_token is None:
        return targets
    expanded = np.full(len(subword_to_token), get_missing_target(targets.dtype), dtype=targets.dtype)
    expanded[find_first_subwords(subword_to_token)[: len(targets)]] = targets
    return expanded


def sum_per_token(weights: Sequence[float], subword_to_token: Sequence[int] | None) -> Sequence[float]:
    """Sum the attention weights of subwords per token.

    Args:
        weights: `(subwords,)`.
        subword_to_token: The token index of each subword; None if each token is one subword.

    Returns:
        `(tokens,)`.
    """
    if subword_to_token is None:
        return weights
    sums: list[float] = np.bincount(subword_to_token, weights=weights).tolist()
    return sums
