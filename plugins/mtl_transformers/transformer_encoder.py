"""The spec of the encoder `transformer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtl_core import EncoderSpec
from mtl_transformers.config_fields import DEFAULT_MODEL, ModelName, require_installed
from mtl_transformers.find_model import describe_model_licence, list_model_packages

if TYPE_CHECKING:
    from mtl_transformers.subword_encoder import SubwordEncoder


class TransformerEncoder(EncoderSpec):
    """Subwords of a pretrained transformer, as rows of its word embedding table.

    The backbone `transformer` is the rest of the model. A run directory contains tokenizer, config and weights:
    only training needs the files of the model.
    """

    type: Literal["transformer"] = "transformer"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    max_tokens: Annotated[int, Field(ge=4)] = 128
    """Maximum number of subwords, including special tokens; longer texts are truncated."""
    trainable: bool = True
    """Train the word embedding table."""

    def list_licence_notes(self) -> Sequence[str]:
        """Return the licence note of the model's weights."""
        return describe_model_licence(self.model)

    def list_packages(self) -> Sequence[str]:
        """Return the packages of the model."""
        return (*list_model_packages(self.model),)

    def build(self) -> SubwordEncoder:
        """Build the encoder; the model is located on first use.

        Raises:
            MtlError: If the extra is not installed.
        """
        require_installed("encoder", self.type, "transformers", "tokenizers")
        from mtl_transformers.subword_encoder import SubwordEncoder

        return SubwordEncoder(self.model, self.max_tokens, self.trainable)
