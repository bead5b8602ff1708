"""The seam where many losses become one."""

from abc import abstractmethod

import torch
from torch import nn

from mtl_core.training.losses import TaskLosses


class Weighting(nn.Module):
    """Combines task losses. A task without labels in the batch is not among them."""

    @abstractmethod
    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Give the scalar that is minimised."""
