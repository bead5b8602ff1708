"""Texts as spaCy tokens with word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from absa_plugin.pipeline_licence import pipeline_licence
from mtl_core import EncoderSpec

if TYPE_CHECKING:
    from absa_plugin.word_encoder import WordEncoder

Rate = Annotated[float, Field(ge=0, lt=1)]


class SpacyEncoder(EncoderSpec):
    """Tokens of a spaCy pipeline, lower-cased, as rows of one table of word vectors.

    A word that training never saw is looked up in the pipeline's vectors; failing that, it is read as the most
    similarly spelt word of the training data; failing that, as "unknown word", which has a vector of its own.
    """

    type: Literal["spacy"] = "spacy"
    pipeline: str = "blank:en"
    """An installed pipeline (`en_core_web_md`), a pipeline's folder, or `blank:` and a language code."""
    tune: bool = True
    """Let training move the word vectors; false leaves pretrained vectors as they are."""
    dimensions: PositiveInt = 100
    """Width of the word vectors where the pipeline has none."""
    drop: list[Literal["stop-words", "numbers", "punctuation"]] = []
    """Tokens to leave out. `stop-words` is a list of English function words, "not" among them."""
    word_dropout: Rate = 0.0
    """How often a word is read as "unknown word" during training."""
    max_tokens: PositiveInt = 256
    """Where longer texts are cut."""

    def licence_notes(self) -> Sequence[str]:
        """Say what holds for the pipeline's vectors."""
        return pipeline_licence(self.pipeline)

    def build(self) -> WordEncoder:
        """Load the pipeline's tokenizer and vectors."""
        from absa_plugin.word_encoder import WordEncoder

        return WordEncoder(
            self.pipeline, self.tune, self.dimensions, frozenset(self.drop), self.word_dropout, self.max_tokens
        )
