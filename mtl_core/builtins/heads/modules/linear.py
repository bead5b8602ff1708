"""The linear heads of several tasks."""

import torch

from mtl_core.builtins.heads.modules.stacked_linear import StackedLinear
from mtl_core.nn.features import Features
from mtl_core.nn.heads import HeadOutput


class LinearGroup(StackedLinear):
    """Dropout and one linear layer per task on the (pooled) features of an example."""

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return logits `(batch, tasks, outputs)`."""
        return HeadOutput(self.compute_outputs(features.mean_pool()))
