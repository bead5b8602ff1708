"""The head of one task, from a group of one task."""

import torch
from torch import nn

from mtl_core.nn.features import Features
from mtl_core.nn.heads import HeadGroup, HeadOutput


class SingleHead(nn.Module):
    """The head of one task.

    Args:
        group: A group of this task.
    """

    def __init__(self, group: HeadGroup) -> None:
        super().__init__()
        self.group = group

    def forward(self, features: Features) -> torch.Tensor:
        """Return outputs `(batch, outputs)`, or `(batch, length, outputs)` per token or pixel."""
        head_output: HeadOutput = self.group(features)
        return head_output.outputs[:, 0]
