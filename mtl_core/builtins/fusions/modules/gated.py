"""The gated multimodal unit."""

from collections.abc import Mapping

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape


class GatedFusion(nn.Module):
    """Sum over columns of `sigmoid(gate(all columns)) * tanh(projection(column))` (Arevalo et al., 2017).

    Args:
        inputs: Column to the shape of its features.
        hidden_dim: Width of the joint vector.
    """

    def __init__(self, inputs: Mapping[str, FeatureShape], hidden_dim: int) -> None:
        super().__init__()
        widths = [shape.width for shape in inputs.values()]
        self.projections = nn.ModuleList(nn.Linear(width, hidden_dim) for width in widths)
        self.gates = nn.Linear(sum(widths), len(widths) * hidden_dim)
        self.output = FeatureShape(hidden_dim)

    def forward(self, columns: Mapping[str, Features]) -> Features:
        """Return the joint vector, `(batch, hidden_dim)`."""
        vectors = [features.mean_pool() for features in columns.values()]
        hidden = torch.stack(
            [torch.tanh(layer(vector)) for layer, vector in zip(self.projections, vectors, strict=True)], dim=1
        )
        gates = torch.sigmoid(self.gates(torch.cat(vectors, dim=1))).view_as(hidden)
        return Features((gates * hidden).sum(dim=1))
