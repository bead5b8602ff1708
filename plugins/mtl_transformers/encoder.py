"""The encoder that is a transformer's own beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core import EncoderSpec
from mtl_transformers.licence import model_licence
from mtl_transformers.model_name import DEFAULT_MODEL, ModelName, check_installed

if TYPE_CHECKING:
    from mtl_transformers.piece_encoder import PieceEncoder


class TransformerEncoder(EncoderSpec):
    """Pieces of words, as a pretrained transformer divides them, as rows of its word embedding table.

    The backbone `transformer` is the rest of the model. A run directory holds tokenizer, config and weights: only
    training needs the model itself.
    """

    type: Literal["transformer"] = "transformer"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """Where longer texts are cut: pieces, the model's own marks among them."""
    tune: bool = True
    """Let training move the word embedding table."""

    def licence_notes(self) -> Sequence[str]:
        """Say what the model states of its weights."""
        return model_licence(self.model)

    def build(self) -> PieceEncoder:
        """Make the encoder; the model is looked for when it is needed.

        Raises:
            MtlError: If the extra is not installed.
        """
        check_installed("encoder", self.type, "transformers", "tokenizers")
        from mtl_transformers.piece_encoder import PieceEncoder

        return PieceEncoder(self.model, self.max_tokens, self.tune)
