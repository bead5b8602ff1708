"""The spec of the transformer backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeInt

from mtl_core import BackboneSpec, Probability
from mtl_transformers.config_fields import require_installed
from mtl_transformers.lora_config import Lora

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape


class TransformerBackbone(BackboneSpec):
    """The transformer (Devlin et al., 2019) of the encoder `transformer`, without its word embedding table.

    Training starts from the model's weights. The output does not contain the states of special tokens.
    """

    type: Literal["transformer"] = "transformer"
    trainable_layers: NonNegativeInt | None = None
    """Number of last layers to train; 0 freezes the model. By default the whole model is trained."""
    lora: Lora | None = None
    """Train adapters instead of the model's weights."""
    dropout: Probability | None = None
    """Dropout probability of all dropout layers; by default the values of the model's config."""
    output: Literal["tokens", "first"] = "tokens"
    """`tokens`: one vector per subword. `first`: one per text, the state of the first token, such as [CLS]."""

    def list_packages(self) -> Sequence[str]:
        """Return Transformers, and PEFT for adapters."""
        return ("transformers", *(["peft"] if self.lora else []))

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the backbone.

        Raises:
            MtlError: If the extra is not installed, the encoder is another one, or the model lacks a layer.
        """
        require_installed("backbone", self.type, "transformers", *(["peft"] if self.lora else []))
        from mtl_transformers.transformer_layers import TransformerLayers

        return TransformerLayers(
            inputs, self.trainable_layers, self.lora, self.dropout, first_token_only=self.output == "first"
        )
