"""Pretrained transformers: fine-tuned, frozen, or distilled into word vectors."""

from mtl_core import AuxiliarySpec, BackboneSpec, EncoderSpec, hookimpl
from mtl_transformers.distilled import DistilledWords
from mtl_transformers.sentence_vector import SentenceVector
from mtl_transformers.transformer_backbone import TransformerBackbone
from mtl_transformers.transformer_encoder import TransformerEncoder
from mtl_transformers.transformer_features import TransformerFeatures


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [TransformerEncoder, TransformerFeatures, DistilledWords]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [TransformerBackbone]


@hookimpl
def mtl_auxiliary_tasks() -> list[type[AuxiliarySpec]]:
    return [SentenceVector]
