"""An encoder that is fitted on some inputs, ready to be checked."""

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
    """Goes the way of the data: parse, fit, encode, collate, input layer.

    Args:
        spec: The encoder's block.
        inputs: What it is fitted on.
        others: Inputs that it meets later.

    Raises:
        MtlError: If it does not read such inputs.
    """

    def __init__(self, spec: EncoderSpec, inputs: Sequence[Any], others: Sequence[Any]) -> None:
        self.spec, self.inputs, self.others = spec, inputs, others
        spec.build().parse(inputs)

    def fitted(self) -> Encoder[Any, Any]:
        """An encoder that knows the inputs."""
        encoder = self.spec.build()
        encoder.fit(iter(encoder.parse(self.inputs)))
        return encoder

    @cached_property
    def known(self) -> Encoder[Any, Any]:
        """The same, made once: for checks that only read."""
        return self.fitted()

    def items(self, encoder: Encoder[Any, Any]) -> list[Any]:
        """The inputs that it was fitted on, encoded."""
        return encoder.encode(encoder.parse(self.inputs))

    def layer(self, encoder: Encoder[Any, Any], seed: int = 0) -> nn.Module:
        """The input layer with the weights of a seed, in evaluation mode."""
        torch.manual_seed(seed)
        return encoder.input_layer().eval()

    def read(self, encoder: Encoder[Any, Any], layer: nn.Module, items: Sequence[Any]) -> Features:
        """Put items into a batch, and read it.

        Raises:
            AssertionError: If the input layer gives something else than `Features`.
        """
        found = layer(encoder.collate(items).to("cpu"))
        if not isinstance(found, Features):
            fail(f"expected the input layer to give Features, found {shown(found)}")
        return found

    def rows(self, encoder: Encoder[Any, Any], layer: nn.Module, items: Sequence[Any]) -> list[torch.Tensor]:
        """The features of each item, padding left out."""
        return rows_of(self.read(encoder, layer, items))
