"""Task weights, and a lower bound of losses."""

from collections.abc import Sequence

import torch

from mtl_core.training.weighting import Weighting

MIN_LOSS = 1e-8
"""Lower bound of a loss before a division or a logarithm."""


class DeclaredWeights(Weighting):
    """Base class of weightings that use the configured task weights.

    Args:
        weights: Each task's `weight` from the experiment.
    """

    weights: torch.Tensor

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights), persistent=False)


def clamp_losses(values: torch.Tensor) -> torch.Tensor:
    """Clamp losses to at least `MIN_LOSS` without changing their gradient: smaller losses still decrease."""
    return values + (MIN_LOSS - values).clamp_min(0).detach()
