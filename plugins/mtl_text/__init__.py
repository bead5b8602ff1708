"""Text parts without pretrained weights: a word embedding encoder, an LSTM backbone, and sample experiments."""

from pathlib import Path

from mtl_core import BackboneSpec, EncoderSpec, hookimpl
from mtl_text.lstm import LSTM
from mtl_text.word_embedding import Embedding


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [Embedding]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [LSTM]


@hookimpl
def mtl_experiments() -> Path:
    return Path(__file__).parent / "experiments"
