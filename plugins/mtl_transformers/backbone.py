"""The backbone that is a transformer, but for its word embedding table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from mtl_core import BackboneSpec
from mtl_core.config.strict import StrictModel
from mtl_transformers.model_name import check_installed

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape

Rate = Annotated[float, Field(ge=0, lt=1)]


class Lora(StrictModel):
    """Low-rank adapters (Hu et al., 2022): the model stays as it is, and small matrices beside it are trained."""

    rank: PositiveInt = 8
    """Width of the adapters."""
    alpha: PositiveFloat = 16.0
    """How much they count: their output is multiplied by `alpha / rank`."""
    dropout: Rate = 0.0
    """Dropout of what the adapters read."""
    targets: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the linear layers that get adapters, such as `query` and `value`; all of them if left out."""


class TransformerBackbone(BackboneSpec):
    """A pretrained transformer encoder (Devlin et al., 2019), the one that the encoder `transformer` names.

    It begins with the model's weights. The states of its marks, such as [CLS], are not given to the heads.
    """

    type: Literal["transformer"] = "transformer"
    layers: NonNegativeInt | None = None
    """Train the last so many layers only, 0 for none of them; all of the model if left out."""
    lora: Lora | None = None
    """Train adapters instead of the model itself."""
    dropout: Rate | None = None
    """Dropout everywhere in the model; as the model's config says if left out."""
    output: Literal["tokens", "first"] = "tokens"
    """`tokens`: one vector a piece of a word. `first`: one a text, the state of its first mark, such as [CLS]."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Make the model.

        Raises:
            MtlError: If the extra is not installed, the encoder is another one, or the model has no such parts.
        """
        check_installed("backbone", self.type, "transformers", *(["peft"] if self.lora else []))
        from mtl_transformers.backbone_module import TransformerLayers

        return TransformerLayers(inputs, self.layers, self.lora, self.dropout, first=self.output == "first")
