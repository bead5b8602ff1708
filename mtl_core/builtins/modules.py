"""The torch modules of the built-in encoder, backbones, heads and losses."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.nn.features import Features, FeatureShape


class ArrayInput(nn.Module):
    """Input layer that standardises arrays `(batch, width)` to pooled `Features`."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.output = FeatureShape(len(mean), sequence=False)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, values: torch.Tensor) -> Features:
        """Standardise values `(batch, width)`."""
        return Features((values - self.mean) / self.scale)


class MLPBackbone(nn.Module):
    """Fully connected layers with ReLU and dropout."""

    def __init__(self, inputs: FeatureShape, hidden_dims: Sequence[int], dropout: float) -> None:
        super().__init__()
        widths = [inputs.width, *hidden_dims]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.output = FeatureShape(widths[-1], inputs.sequence)

    def forward(self, features: Features) -> Features:
        """Apply the layers to the last dimension."""
        return Features(self.layers(features.values), features.mask)


class IdentityBackbone(nn.Module):
    """Backbone that returns its input features."""

    def __init__(self, inputs: FeatureShape) -> None:
        super().__init__()
        self.output = inputs

    def forward(self, features: Features) -> Features:
        """Return the features unchanged."""
        return features


class LinearHead(nn.Module):
    """Dropout and one linear layer on the (pooled) features of an example."""

    def __init__(self, inputs: FeatureShape, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs.width, outputs))

    def forward(self, features: Features) -> torch.Tensor:
        """Return logits `(batch, outputs)`."""
        logits: torch.Tensor = self.layers(features.mean_pool())
        return logits


class CrossEntropyLoss(nn.Module):
    """Cross entropy per example, with label smoothing (Szegedy et al., 2016)."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, classes)` and targets `(n,)`."""
        return F.cross_entropy(outputs, targets, reduction="none", label_smoothing=self.label_smoothing)


class FocalLoss(nn.Module):
    """Focal loss: cross entropy with less weight on well-classified examples (Lin et al., 2017)."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, classes)` and targets `(n,)`."""
        losses = F.cross_entropy(outputs, targets, reduction="none")
        return losses * (1 - torch.exp(-losses)).clamp_min(1e-8) ** self.gamma
