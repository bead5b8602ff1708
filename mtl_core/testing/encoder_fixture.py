"""An encoder and the sample inputs that it is checked with."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn

from mtl_core.data.encoder import Encoder
from mtl_core.nn.features import Features
from mtl_core.plugins.specs import EncoderSpec
from mtl_core.testing.checks import fail
from mtl_core.testing.sample_modules import unpad_features
from mtl_core.testing.tensors import describe_value


class EncoderFixture:
    """An encoder with sample inputs: parses, fits, encodes, collates and runs the input layer.

    Args:
        spec: The encoder.
        inputs: The inputs that it is fitted on.
        unseen_inputs: Unseen inputs.

    Raises:
        MtlError: If the encoder does not accept such inputs.
    """

    def __init__(self, spec: EncoderSpec, inputs: Sequence[Any], unseen_inputs: Sequence[Any]) -> None:
        self.spec, self.inputs, self.unseen_inputs = spec, inputs, unseen_inputs
        spec.build().parse(inputs)

    def fit_encoder(self) -> Encoder[Any, Any]:
        """Return an encoder fitted on the inputs."""
        encoder = self.spec.build()
        encoder.fit(iter(encoder.parse(self.inputs)))
        return encoder

    @cached_property
    def fitted_encoder(self) -> Encoder[Any, Any]:
        """A fitted encoder, cached: for checks that do not change it."""
        return self.fit_encoder()

    def encode_inputs(self, encoder: Encoder[Any, Any]) -> list[Any]:
        """Return the encoded inputs that the encoder was fitted on."""
        return list(encoder.encode(encoder.parse(self.inputs)))

    def build_input_layer(self, encoder: Encoder[Any, Any], seed: int = 0) -> nn.Module:
        """Return the input layer in evaluation mode, with weights drawn from a seed."""
        torch.manual_seed(seed)
        return encoder.input_layer().eval()

    def compute_features(self, encoder: Encoder[Any, Any], layer: nn.Module, items: Sequence[Any]) -> Features:
        """Collate items and run the input layer on the batch.

        Raises:
            AssertionError: If the input layer does not return `Features`.
        """
        features = layer(encoder.collate(items).to("cpu"))
        if not isinstance(features, Features):
            fail(f"expected the input layer to return Features, found {describe_value(features)}")
        return features

    def compute_item_features(
        self, encoder: Encoder[Any, Any], layer: nn.Module, items: Sequence[Any]
    ) -> list[torch.Tensor]:
        """Return the features of each item without padding."""
        return unpad_features(self.compute_features(encoder, layer, items))
