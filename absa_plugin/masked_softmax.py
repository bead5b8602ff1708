"""The softmax of attention weights, with weight zero at padding."""

import torch


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Compute the softmax over the last dimension, with exactly zero at padding.

    Args:
        scores: `(batch, ..., length)`.
        mask: `(batch, length)` or `(batch, 1, length)`, True at tokens.
    """
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(-2), float("-inf"))
    return torch.softmax(scores, dim=-1)
