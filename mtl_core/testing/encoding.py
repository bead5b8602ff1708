"""An encoder and the sample inputs that it is checked with."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn

from mtl_core.data.encoder import Encoder
from mtl_core.model.features import Features
from mtl_core.specs import EncoderSpec
from mtl_core.testing.expectations import fail
from mtl_core.testing.samples import rows_of
from mtl_core.testing.tensors import shown


class Encoding:
    """An encoder with sample inputs: parses, fits, encodes, collates and runs the input layer.

    Args:
        spec: The encoder.
        inputs: The inputs that it is fitted on.
        others: Unseen inputs.

    Raises:
        MtlError: If the encoder does not accept such inputs.
    """

    def __init__(self, spec: EncoderSpec, inputs: Sequence[Any], others: Sequence[Any]) -> None:
        self.spec, self.inputs, self.others = spec, inputs, others
        spec.build().parse(inputs)

    def fitted(self) -> Encoder[Any, Any]:
        """Return an encoder fitted on the inputs."""
        encoder = self.spec.build()
        encoder.fit(iter(encoder.parse(self.inputs)))
        return encoder

    @cached_property
    def known(self) -> Encoder[Any, Any]:
        """A fitted encoder, cached: for checks that do not change it."""
        return self.fitted()

    def items(self, encoder: Encoder[Any, Any]) -> list[Any]:
        """Return the encoded inputs that the encoder was fitted on."""
        return encoder.encode(encoder.parse(self.inputs))

    def layer(self, encoder: Encoder[Any, Any], seed: int = 0) -> nn.Module:
        """Return the input layer in evaluation mode, with weights drawn from a seed."""
        torch.manual_seed(seed)
        return encoder.input_layer().eval()

    def read(self, encoder: Encoder[Any, Any], layer: nn.Module, items: Sequence[Any]) -> Features:
        """Collate items and run the input layer on the batch.

        Raises:
            AssertionError: If the input layer does not return `Features`.
        """
        found = layer(encoder.collate(items).to("cpu"))
        if not isinstance(found, Features):
            fail(f"expected the input layer to return Features, found {shown(found)}")
        return found

    def rows(self, encoder: Encoder[Any, Any], layer: nn.Module, items: Sequence[Any]) -> list[torch.Tensor]:
        """Return the features of each item without padding."""
        return rows_of(self.read(encoder, layer, items))
