"""The backbone that returns its input features."""

from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class IdentityBackbone(nn.Module):
    """Backbone that returns its input features."""

    def __init__(self, inputs: FeatureShape) -> None:
        super().__init__()
        self.output = inputs

    def forward(self, features: Features) -> Features:
        """Return the features unchanged."""
        return features
