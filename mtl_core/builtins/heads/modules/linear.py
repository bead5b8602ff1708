"""The linear heads of several tasks."""

import torch

from mtl_core.builtins.heads.modules.stacked_linear import StackedLinear
from mtl_core.nn.features import Features
from mtl_core.nn.heads import HeadOutput
from mtl_core.nn.task_features import TaskFeatures


class LinearGroup(StackedLinear):
    """Dropout and one linear layer per task on the (pooled) features of an example."""

    def forward(self, features: Features | TaskFeatures, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return logits `(batch, tasks, outputs)`."""
        if isinstance(features, TaskFeatures):
            return HeadOutput(self.compute_task_outputs(features, features.mean_pool()))
        return HeadOutput(self.compute_outputs(features.mean_pool()))

    def linear_weight(self) -> torch.Tensor | None:
        """Return the weights, unless there is dropout."""
        return None if self.training and self.dropout.p > 0 else self.weight
