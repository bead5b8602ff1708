"""Invented features that modules are tried with."""

from collections.abc import Sequence

import torch

from mtl_core.model.features import Features, FeatureShape

LENGTHS = (4, 1, 7, 4, 2)
"""Tokens of each sample: several lengths, one of them 1, two of them alike."""
TRIED = {"tokens": FeatureShape(12, sequence=True), "vectors": FeatureShape(12, sequence=False)}
"""The shapes of features that parts are tried with: one vector a token, one an example."""
GARBAGE = 100.0
"""How large the numbers are that stand in padded places."""


def sample_features(shape: FeatureShape, seed: int = 0) -> list[torch.Tensor]:
    """Draw an example for each of `LENGTHS`: `(length, width)`, or `(width,)` where there are no tokens."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(length, shape.width) if shape.sequence else (shape.width,) for length in LENGTHS]
    return [torch.randn(size, generator=generator) for size in sizes]


def batched(samples: Sequence[torch.Tensor], more: int = 0, garbage: bool = False) -> Features:
    """Put samples into a batch.

    Args:
        samples: `(length, width)` each, or `(width,)`.
        more: Places of padding beyond the longest.
        garbage: Whether padded places hold large numbers instead of zeros.
    """
    if samples[0].ndim == 1:
        return Features(torch.stack(list(samples)))
    lengths = torch.tensor([len(sample) for sample in samples])
    length, width = int(lengths.max()) + more, samples[0].shape[1]
    values = torch.zeros(len(samples), length, width)
    if garbage:
        values = torch.randn(values.shape, generator=torch.Generator().manual_seed(9)) * GARBAGE
    for row, sample in enumerate(samples):
        values[row, : len(sample)] = sample
    return Features(values, torch.arange(length) < lengths.unsqueeze(1))


def rows_of(features: Features) -> list[torch.Tensor]:
    """Each example's features, padding left out."""
    if features.mask is None:
        return list(features.values)
    return [values[mask] for values, mask in zip(features.values, features.mask, strict=True)]


def named_shapes(shapes: Sequence[FeatureShape] | None) -> dict[str, FeatureShape]:
    """Name the shapes that an author gave, or take the usual ones."""
    if shapes is None:
        return dict(TRIED)
    return {f"{'tokens' if shape.sequence else 'vectors'}-{shape.width}": shape for shape in shapes}
