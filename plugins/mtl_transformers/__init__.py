"""Pretrained transformers: fine-tuned, frozen, or distilled into word vectors."""

from mtl_core import BackboneSpec, EncoderSpec, hookimpl
from mtl_transformers.backbone import TransformerBackbone
from mtl_transformers.distilled import Distilled
from mtl_transformers.encoder import TransformerEncoder
from mtl_transformers.features import TransformerFeatures


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [TransformerEncoder, TransformerFeatures, Distilled]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [TransformerBackbone]
