"""Aspect-based sentiment analysis (ABSA) of reviews, as a plugin."""

from pathlib import Path

from absa_plugin.attention_pooling import Attention
from absa_plugin.recurrent import BiGRU, BiLSTM
from absa_plugin.self_attention import SelfAttention
from absa_plugin.semeval import SemEval2014
from absa_plugin.spacy_encoder import SpacyEncoder
from mtl_core import BackboneSpec, EncoderSpec, HeadSpec, LoaderSpec, hookimpl


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [SemEval2014]


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [SpacyEncoder]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [BiLSTM, BiGRU]


@hookimpl
def mtl_heads() -> list[type[HeadSpec]]:
    return [Attention, SelfAttention]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
