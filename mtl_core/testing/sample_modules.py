"""Sample features, a small input layer and a small backbone for the checks of modules."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.specs import HeadSpec, Layout

LENGTHS = (4, 1, 7, 4, 2)
"""Number of tokens of each sample: several lengths, one of them 1, two of them equal."""

DEFAULT_SHAPES = {
    "tokens": FeatureShape(12, sequence=True),
    "vectors": FeatureShape(12),
    "spatial": FeatureShape(12, size=(3, 4), image_size=(6, 8)),
}
"""The shapes of features that parts are checked with: one vector per token, per example, per position."""

LAYOUT_VARIANTS: dict[Layout, str] = {"sequence": "tokens", "vector": "vectors", "spatial": "spatial"}
"""The name of each layout in the names of checks."""

GARBAGE_SCALE = 100.0
"""Standard deviation of the values at padding."""


def draw_sample_features(shape: FeatureShape, seed: int = 0) -> list[torch.Tensor]:
    """Draw one example per entry of `LENGTHS`: `(length, width)`, `(width,)`, or `(width, *shape.size)`."""
    generator = torch.Generator().manual_seed(seed)
    fixed_size = (shape.width, *(shape.size or ()))
    sizes = [(length, shape.width) if shape.sequence else fixed_size for length in LENGTHS]
    return [torch.randn(size, generator=generator) for size in sizes]


def collate_samples(samples: Sequence[torch.Tensor], extra_padding: int = 0, garbage: bool = False) -> Features:
    """Collate samples into a batch.

    Args:
        samples: `(length, width)` each, or `(width,)`, or `(channels, height, width)`.
        extra_padding: Columns of padding beyond the longest sample.
        garbage: Whether padding holds large numbers instead of zeros.
    """
    if samples[0].ndim != 2:
        return Features(torch.stack(list(samples)))
    lengths = torch.tensor([len(sample) for sample in samples])
    length, width = int(lengths.max()) + extra_padding, samples[0].shape[1]
    values = torch.zeros(len(samples), length, width)
    if garbage:
        values = torch.randn(values.shape, generator=torch.Generator().manual_seed(9)) * GARBAGE_SCALE
    for row, sample in enumerate(samples):
        values[row, : len(sample)] = sample
    return Features(values, torch.arange(length) < lengths.unsqueeze(1))


def unpad_features(features: Features) -> list[torch.Tensor]:
    """Return each example's features without padding."""
    if features.mask is None:
        return list(features.values)
    return [values[mask] for values, mask in zip(features.values, features.mask, strict=True)]


def name_shapes(shapes: Sequence[FeatureShape] | None) -> dict[str, FeatureShape]:
    """Return shapes by name; the default shapes if `shapes` is None."""
    if shapes is None:
        return dict(DEFAULT_SHAPES)
    return {f"{LAYOUT_VARIANTS[shape.layout]}-{shape.width}": shape for shape in shapes}


def apply_to_channels(layer: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """Apply a layer to the channels of spatial values, `(batch, channels, height, width)`, or to the last dimension."""
    outputs: torch.Tensor = layer(values.movedim(1, -1)).movedim(-1, 1) if values.ndim == 4 else layer(values)
    return outputs


class SampleInputLayer(nn.Module):
    """An input layer whose inputs are features: applies one linear layer.

    Args:
        shape: Shape of the features.
    """

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(shape.width, shape.width)
        self.output = shape

    def forward(self, features: Features) -> Features:
        """Return features of the same shape."""
        return Features(apply_to_channels(self.layer, features.values), features.mask)


class SampleBackbone(nn.Module):
    """A layer over each token or position and the mean of all; input and output have the same shape.

    Args:
        shape: Shape of the features.
    """

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(2 * shape.width, shape.width)
        self.output = shape

    def forward(self, features: Features) -> Features:
        """Return features of the same shape."""
        mean, values = features.mean_pool(), features.values
        if features.mask is not None:
            mean = mean.unsqueeze(1).expand_as(values)
        if values.ndim == 4:
            mean = mean.unsqueeze(-1).unsqueeze(-1).expand_as(values)
        values = torch.cat([values, mean], dim=1 if values.ndim == 4 else -1)
        return Features(torch.tanh(apply_to_channels(self.layer, values)), features.mask)


class SampleHead(HeadSpec):
    """One linear layer per task, in one module per task."""

    type: Literal["sample"] = "sample"

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        """Build the layer of one task."""
        return SampleLinear(inputs.width, outputs)


class SampleLinear(nn.Module):
    """A linear layer on vectors.

    Args:
        width: Number of features.
        outputs: Number of outputs.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, outputs)

    def forward(self, features: Features) -> torch.Tensor:
        """Return outputs `(batch, outputs)`."""
        outputs: torch.Tensor = self.layer(features.values)
        return outputs
