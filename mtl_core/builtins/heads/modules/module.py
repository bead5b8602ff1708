"""A user's module as a head: tensors in, tensors out."""

import torch
from torch import nn

from mtl_core.nn.features import Features


class TensorHead(nn.Module):
    """A head from a module that reads `(batch, width)` and returns `(batch, outputs)`.

    Args:
        module: The module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, features: Features) -> torch.Tensor:
        """Return the outputs of the module for the pooled features."""
        outputs: torch.Tensor = self.module(features.mean_pool())
        return outputs
