"""Features: the data between input layer, backbone and heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import torch

    from mtl_core.plugins.spec import Layout


@dataclass(frozen=True)
class FeatureShape:
    """The shape of features, known when a module is built.

    Attributes:
        width: Number of features per example, per token, or per position (channels).
        sequence: Whether there is one vector per token.
        size: (height, width) of spatial features, whose values are `(batch, channels, height, width)`; None for
            other features.
        image_size: (height, width) of the encoded image, which backbones pass on; None if inputs are no images.

    Raises:
        MtlError: If features are both a sequence and spatial.

    Example:
        >>> FeatureShape(64, size=(8, 8), image_size=(32, 32)).layout
        'spatial'
    """

    width: int
    sequence: bool = False
    size: tuple[int, int] | None = None
    image_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.sequence and self.size is not None:
            raise MtlError(f"features of the size {self.size} are spatial, so they cannot be a sequence, too")

    @property
    def layout(self) -> Layout:
        """Whether there is one vector per example (`vector`), per token (`sequence`) or per position (`spatial`)."""
        if self.size is not None:
            return "spatial"
        return "sequence" if self.sequence else "vector"


@dataclass(frozen=True)
class Features:
    """Features of a batch.

    Attributes:
        values: `(batch, length, width)` for sequences, `(batch, channels, height, width)` for spatial features, else
            `(batch, width)`; float.
        mask: `(batch, length)`, bool, True for tokens, False for padding; None if there is no sequence.
            Every example has at least one token.
    """

    values: torch.Tensor
    mask: torch.Tensor | None = None

    def select_rows(self, row_indices: torch.Tensor) -> Features:
        """Return the features of the examples `row_indices`, `(n,)`, int64; truncated to the longest of them."""
        values = self.values.index_select(0, row_indices)  # several times faster than `values[rows]`, also in backward
        if self.mask is None:
            return Features(values)
        mask = self.mask[row_indices]
        length = int(mask.any(dim=0).nonzero()[-1]) + 1
        return Features(values[:, :length], mask[:, :length])

    def view(self) -> Features:
        """Return a view of the features as a separate tensor for `torch.autograd.grad`, without a copy."""
        return Features(self.values.view_as(self.values), self.mask)

    def mean_pool(self) -> torch.Tensor:
        """Return one vector per example, `(batch, width)`: the mean over its tokens or positions, if there are any."""
        if self.mask is None:
            return self.values if self.values.ndim == 2 else self.values.flatten(2).mean(dim=2)
        weights = self.mask.to(self.values.dtype).unsqueeze(-1)
        return (self.values * weights).sum(dim=1) / weights.sum(dim=1)
