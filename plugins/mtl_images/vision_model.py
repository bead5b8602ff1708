"""The spec of vision encoders of Transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from mtl_core import BackboneSpec, Layout, MtlError, describe_missing_packages

if TYPE_CHECKING:
    from torch import nn

    from mtl_core import FeatureShape

LAYOUTS: dict[str, Layout] = {"pooled": "vector", "spatial": "spatial", "tokens": "sequence"}


def _parse_model(value: object) -> object:
    if not isinstance(value, str | Path | dict):
        raise ValueError("expected a model's folder, or a block with its config")
    return Path(value) if isinstance(value, str) else value


ModelSource = Annotated[Path | dict[str, Any], BeforeValidator(_parse_model), "input-path"]


class VisionModel(BackboneSpec):
    """A vision encoder of Transformers: ViT (Dosovitskiy et al., 2021), DINOv2, Swin, ConvNeXt, ResNet and others.

    Images need the normalisation that the model was trained with: `mean` and `std` of the encoder `image`.
    """

    type: Literal["vision-model"] = "vision-model"
    layouts: ClassVar[frozenset[Layout]] = frozenset({"spatial"})
    model: ModelSource
    """A model's folder, as `save_pretrained` writes it, or a block with its config (`model_type: vit`, ...), whose
    weights are random."""
    pretrained: bool = True
    """Start from the weights in the folder; otherwise from random weights."""
    trainable: bool = True
    """Train the model; otherwise its weights are frozen."""
    output: Literal["pooled", "spatial", "tokens"] = "pooled"
    """`pooled`: one vector per image, the mean over positions. `spatial`: the feature map. `tokens`: the states of all
    patches, as a sequence."""

    def get_output_layout(self, inputs: Layout) -> Layout:
        """Return the layout of `output`."""
        return LAYOUTS[self.output]

    def list_packages(self) -> Sequence[str]:
        """Return Transformers."""
        return ("transformers",)

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the model.

        Raises:
            MtlError: If Transformers is not installed, the model is no vision encoder, or it does not read such images.
        """
        if message := describe_missing_packages({"transformers": "'mtl-core[transformers]'"}):
            raise MtlError(f"backbone: the type '{self.type}' {message}")
        from mtl_images.vision_model_module import VisionEncoder, build_model

        model = build_model(self.model, self.pretrained)
        return VisionEncoder(model, inputs, LAYOUTS[self.output], self.trainable)
