"""The spec of the encoder `transformer-features`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core import CacheDir, EncoderSpec
from mtl_transformers.config_fields import DEFAULT_MODEL, ModelName, require_installed
from mtl_transformers.find_model import describe_model_licence, list_model_packages

if TYPE_CHECKING:
    from mtl_transformers.features_encoder import FeaturesEncoder


class TransformerFeatures(EncoderSpec):
    """Words as states of a frozen pretrained transformer, computed once per distinct text.

    The vector of a word is the mean of the states of its subwords, so that attention weights and token labels refer
    to words. Predictions need the files of the model: a run directory does not contain them.
    """

    type: Literal["transformer-features"] = "transformer-features"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    layers: Annotated[list[int], Field(min_length=1)] = [-1]
    """The layers whose states are averaged: 0 is the embeddings, -1 the output of the last layer."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """Maximum number of subwords, including special tokens; longer texts are truncated."""
    cache: CacheDir = True
    """Cache the states of a run's texts in the user's cache folder (`true`), in this folder, or never (`false`)."""

    def list_licence_notes(self) -> Sequence[str]:
        """Return the licence note of the model's weights."""
        return describe_model_licence(self.model)

    def list_packages(self) -> Sequence[str]:
        """Return the packages of the model."""
        return (*list_model_packages(self.model),)

    def build(self) -> FeaturesEncoder:
        """Build the encoder; the model is located on first use.

        Raises:
            MtlError: If the extra is not installed.
        """
        require_installed("encoder", self.type, "transformers", "tokenizers")
        from mtl_core.data import resolve_cache_dir
        from mtl_transformers.features_encoder import FeaturesEncoder
        from mtl_transformers.frozen_model import FrozenModel
        from mtl_transformers.subword_encoder import SubwordEncoder

        return FeaturesEncoder(
            FrozenModel(self.model, self.layers),
            SubwordEncoder(self.model, self.max_tokens, trainable=False),
            resolve_cache_dir(self.cache),
            strict=isinstance(self.cache, Path),
            max_tokens=self.max_tokens,
        )
