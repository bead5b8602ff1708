"""Texts as words, each with a vector that is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import EncoderSpec

if TYPE_CHECKING:
    from mtl_text.embedding_encoder import EmbeddingEncoder

Rate = Annotated[float, Field(ge=0, lt=1)]


class Embedding(EncoderSpec):
    """Words as rows of one table of vectors, which training learns from nothing.

    Words are letters with inner apostrophes ("don't"), numbers ("3.5"), and every other sign by itself. An input
    that is a list of words already is read word by word. A word outside the vocabulary is read as "unknown word".
    """

    type: Literal["embedding"] = "embedding"
    vocabulary_size: Annotated[int, Field(ge=3)] = 10_000
    """Rows of the table at most: the most frequent words of the training data, padding, and the unknown word."""
    min_count: PositiveInt = 1
    """How often a word must stand in the training data to get a row."""
    dimensions: PositiveInt = 128
    """Width of the vectors."""
    lower_case: bool = True
    """Read "Good" and "good" as one word."""
    dropout: Rate = 0.0
    """Dropout of the vectors."""
    word_dropout: Rate = 0.0
    """How often a word is read as "unknown word" during training."""
    max_tokens: PositiveInt = 256
    """Where longer texts are cut."""

    def build(self) -> EmbeddingEncoder:
        """Make the encoder."""
        from mtl_text.embedding_encoder import EmbeddingEncoder

        return EmbeddingEncoder(
            self.vocabulary_size,
            self.min_count,
            self.dimensions,
            self.lower_case,
            self.dropout,
            self.word_dropout,
            self.max_tokens,
        )
