"""The linear heads for tokens of several tasks."""

import torch

from mtl_core.builtins.heads.modules.stacked_linear import StackedLinear
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadOutput
from mtl_core.nn.task_features import TaskFeatures


class TokenLinearGroup(StackedLinear):
    """Dropout and one linear layer per task on the features of every token."""

    def forward(self, features: Features | TaskFeatures, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return logits `(batch, tasks, length, outputs)`."""
        if isinstance(features, TaskFeatures):
            _, batch, length, _ = features.values.shape
            outputs = self.compute_task_outputs(features, features.values.flatten(1, 2))
            return HeadOutput(outputs.view(batch, length, *outputs.shape[1:]).transpose(1, 2))
        return HeadOutput(self.compute_outputs(features.values).transpose(1, 2))


def require_sequence(inputs: FeatureShape, head: str) -> None:
    """Raise an error for features without tokens.

    Raises:
        MtlError: If the features are not a sequence.
    """
    if not inputs.sequence:
        raise MtlError(f"the head '{head}' returns one output per token, but the backbone one vector per example")
