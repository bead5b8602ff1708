"""An encoder whose inputs can be missing, from an encoder whose inputs cannot."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.data.column_encoder import ALL_MISSING
from mtl_core.data.encoder import Encoder
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape

MISSING_TOKEN = "<missing>"  # noqa: S105  a name, no password


@dataclass(frozen=True)
class NullableBatch:
    """A batch of inputs, some of which are missing.

    Attributes:
        present: `(n,)`, int64: the rows whose input is not missing; None if no input is missing.
        inputs: The batch of these rows' inputs; None if all are missing.
        size: The number of rows.
    """

    present: torch.Tensor | None
    inputs: Any
    size: int

    def to(self, device: Any) -> "NullableBatch":
        """Return the batch on a device."""
        return NullableBatch(
            None if self.present is None else self.present.to(device),
            None if self.inputs is None else self.inputs.to(device),
            self.size,
        )


class NullableInput(nn.Module):
    """An input layer that replaces the features of missing inputs by a learned vector.

    A missing text is a sequence of one token; a missing image has the vector at every position.

    Args:
        layer: The input layer of inputs that are not missing.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.output: FeatureShape = layer.output  # type: ignore[assignment]  # an input layer has this attribute
        self.missing = nn.Parameter(torch.zeros(self.output.width))

    def forward(self, batch: NullableBatch) -> Features:
        """Return features of all rows."""
        features: Features | None = None if batch.inputs is None else self.layer(batch.inputs)
        if features is not None and batch.present is None:
            is_missing = torch.zeros(batch.size, dtype=torch.bool, device=self.missing.device)
            return Features(self._replace(features.values, is_missing), features.mask)
        is_missing = torch.ones(batch.size, dtype=torch.bool, device=self.missing.device)
        rows = is_missing.new_zeros(0, dtype=torch.int64) if batch.present is None else batch.present
        is_missing[rows] = False
        sizes = (self.output.width, *(self.output.size or ()))
        if self.output.sequence:
            sizes = (features.values.shape[1] if features is not None else 1, self.output.width)
        values, mask = self.missing.new_zeros(batch.size, *sizes), None
        if features is not None:
            values = values.to(features.values.dtype).index_copy(0, rows, features.values)
        if self.output.sequence:
            mask = torch.zeros(values.shape[:2], dtype=torch.bool, device=values.device)
            mask[:, 0] = is_missing
            if features is not None and features.mask is not None:
                mask[rows] = features.mask
        return Features(self._replace(values, is_missing), mask)

    def _replace(self, values: torch.Tensor, is_missing: torch.Tensor) -> torch.Tensor:
        """Replace the values of missing rows; the vector has a gradient (zeros) without missing rows, too."""
        condition = is_missing.view(-1, *[1] * (values.ndim - 1))
        vector = self.missing.to(values.dtype)
        return torch.where(condition, vector.view(-1, 1, 1) if values.ndim == 4 else vector, values)


class NullableEncoder(Encoder[Any, Any]):
    """An encoder whose inputs may be None; an empty input is a missing one.

    Args:
        encoder: The encoder of inputs that are not missing.
    """

    def __init__(self, encoder: Encoder[Any, Any]) -> None:
        self.encoder = encoder

    def parse(self, inputs: Sequence[Any]) -> list[Any]:
        """Parse inputs; a missing or empty one is None."""
        parsed = iter(self.encoder.parse([value for value in inputs if value is not None]))
        results = [None if value is None else next(parsed) for value in inputs]
        return [None if value is None or self.encoder.is_empty(value) else value for value in results]

    def is_empty(self, parsed: Any) -> bool:
        """Return whether an input is missing."""
        return parsed is None

    def fit(self, parsed: Iterable[Any]) -> None:
        """Fit to the inputs that are not missing.

        Raises:
            MtlError: If all are missing.
        """
        present = (value for value in parsed if value is not None)
        for first in present:
            self.encoder.fit(chain([first], present))
            return
        raise MtlError(ALL_MISSING)

    def encode(self, parsed: Sequence[Any]) -> list[Any]:
        """Encode inputs; a missing one is None."""
        items = iter(self.encoder.encode([value for value in parsed if value is not None]))
        return [None if value is None else next(items) for value in parsed]

    def length(self, item: Any) -> int:
        """Return the length of an item; 1 if it is missing."""
        return 1 if item is None else self.encoder.length(item)

    def collate(self, items: Sequence[Any]) -> NullableBatch:
        """Collate the items that are not missing, with their rows."""
        rows = [row for row, item in enumerate(items) if item is not None]
        inputs = self.encoder.collate([items[row] for row in rows]) if rows else None
        return NullableBatch(
            None if len(rows) == len(items) else torch.tensor(rows, dtype=torch.int64), inputs, len(items)
        )

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) of the images; None if inputs are no images."""
        return self.encoder.image_size

    def thumbnail(self, parsed: Any) -> NDArray[np.uint8] | None:
        """Return the thumbnail of an input; None if it is missing."""
        return None if parsed is None else self.encoder.thumbnail(parsed)

    def prefetch(self, items: Sequence[Any]) -> None:
        """Start to load the items that are not missing."""
        self.encoder.prefetch([item for item in items if item is not None])

    def augment(self, inputs: NullableBatch) -> tuple[NullableBatch, torch.Tensor | None]:
        """Augment the inputs that are not missing; the pixels of the others do not move."""
        if inputs.inputs is None:
            return inputs, None
        augmented, pixel_indices = self.encoder.augment(inputs.inputs)
        if pixel_indices is not None and inputs.present is not None:
            unmoved = torch.arange(pixel_indices.shape[1]).repeat(inputs.size, 1)
            pixel_indices = unmoved.index_copy(0, inputs.present, pixel_indices)
        return NullableBatch(inputs.present, augmented, inputs.size), pixel_indices

    def input_layer(self) -> nn.Module:
        """Build the input layer with the learned vector."""
        return NullableInput(self.encoder.input_layer())

    def unload(self) -> None:
        """Free large resources."""
        self.encoder.unload()

    def words(self, parsed: Any) -> list[str]:
        """Return the words of an input; none if it is missing."""
        return [] if parsed is None else self.encoder.words(parsed)

    def token_to_word(self, parsed: Any) -> list[int]:
        """Return the word of each token; none if the input is missing."""
        return [] if parsed is None else self.encoder.token_to_word(parsed)

    def tokens(self, parsed: Any) -> list[str]:
        """Return the tokens; one with its own name if the input is missing."""
        return [MISSING_TOKEN] if parsed is None else self.encoder.tokens(parsed)

    def subword_to_token(self, parsed: Any) -> Sequence[int] | None:
        """Return the token of each subword; None if the input is missing."""
        return None if parsed is None else self.encoder.subword_to_token(parsed)

    @property
    def vocabulary(self) -> Sequence[str]:
        """The tokens by id."""
        return self.encoder.vocabulary

    def token_ids(self, inputs: NullableBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`; -1 for missing inputs."""
        if inputs.inputs is None:
            return torch.full((inputs.size, 1), -1, dtype=torch.int64)
        ids = self.encoder.token_ids(inputs.inputs)
        if inputs.present is None:
            return ids
        return ids.new_full((inputs.size, ids.shape[1]), -1).index_copy(0, inputs.present, ids)

    def mask_tokens(self, inputs: NullableBatch, token_mask: torch.Tensor) -> NullableBatch:
        """Mask tokens of the inputs that are not missing."""
        if inputs.inputs is None:
            return inputs
        mask = token_mask if inputs.present is None else token_mask[inputs.present]
        return NullableBatch(inputs.present, self.encoder.mask_tokens(inputs.inputs, mask), inputs.size)

    def state(self) -> dict[str, Any]:
        """Return the state of the encoder."""
        return self.encoder.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the encoder."""
        self.encoder.restore(state)
