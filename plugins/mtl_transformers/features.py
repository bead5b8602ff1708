"""The encoder of states that a frozen transformer gives, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core import EncoderSpec
from mtl_transformers.licence import model_licence
from mtl_transformers.model_name import DEFAULT_MODEL, CacheFolder, ModelName, check_installed

if TYPE_CHECKING:
    from mtl_transformers.features_encoder import FeaturesEncoder


class TransformerFeatures(EncoderSpec):
    """Words as states of a pretrained transformer that stays as it is; each distinct text is read once.

    A word's vector is the mean of its pieces' states, so that attention and labels of tokens belong to words.
    Predicting needs the model, too: a run directory does not hold it.
    """

    type: Literal["transformer-features"] = "transformer-features"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    layers: Annotated[list[int], Field(min_length=1)] = [-1]
    """Whose states are taken, their mean: 0 is what the first layer reads, -1 what the last gives."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """Where longer texts are cut: pieces, the model's own marks among them."""
    cache: CacheFolder = True
    """Keep the states of a run's texts in the user's cache folder, or in this one; `false` keeps none."""

    def licence_notes(self) -> Sequence[str]:
        """Say what the model states of its weights."""
        return model_licence(self.model)

    def build(self) -> FeaturesEncoder:
        """Make the encoder; the model is looked for when it is needed.

        Raises:
            MtlError: If the extra is not installed.
        """
        check_installed("encoder", self.type, "transformers", "tokenizers")
        from mtl_transformers.disk_cache import folder_of
        from mtl_transformers.features_encoder import FeaturesEncoder
        from mtl_transformers.frozen_model import FrozenModel
        from mtl_transformers.piece_encoder import PieceEncoder

        return FeaturesEncoder(
            FrozenModel(self.model, self.layers),
            PieceEncoder(self.model, self.max_tokens, tune=False),
            folder_of(self.cache),
            asked_for=isinstance(self.cache, Path),
            max_tokens=self.max_tokens,
        )
