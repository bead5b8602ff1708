"""Loss masks: the extension point that selects the valid labels of a batch."""

from typing import Protocol

import torch


class LossMask(Protocol):
    """Selects the valid labels of a batch."""

    def __call__(self, targets: torch.Tensor) -> torch.Tensor:
        """Return the mask of targets `(batch, tasks, ...)`: `(batch, tasks)` or `(batch, tasks, length)`, bool."""
