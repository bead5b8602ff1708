"""The spec of the word embedding encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import EncoderSpec, Probability

if TYPE_CHECKING:
    from mtl_text.word_embedding_encoder import EmbeddingEncoder


class Embedding(EncoderSpec):
    """Word embedding: one table of word vectors, learned from random initialization.

    Words are sequences of letters with inner apostrophes ("don't"), numbers ("3.5"), and every other character
    separately. An input can also be a list of words. Out-of-vocabulary words share one vector, the "unknown word".
    """

    type: Literal["embedding"] = "embedding"
    vocabulary_size: Annotated[int, Field(ge=3)] = 10_000
    """Maximum number of rows: the most frequent words of the training data, padding, and the unknown word."""
    min_count: PositiveInt = 1
    """Minimum number of occurrences in the training data for a word to get a row."""
    dimensions: PositiveInt = 128
    """Size of the word vectors."""
    lower_case: bool = True
    """Convert words to lower case: "Good" and "good" are one word."""
    dropout: Probability = 0.0
    """Dropout probability of the word vectors."""
    word_dropout: Probability = 0.0
    """Probability that a word is replaced by the "unknown word" during training."""
    max_tokens: PositiveInt = 256
    """Maximum number of words; longer texts are truncated."""

    def build(self) -> EmbeddingEncoder:
        """Build the encoder."""
        from mtl_text.word_embedding_encoder import EmbeddingEncoder

        return EmbeddingEncoder(
            self.vocabulary_size,
            self.min_count,
            self.dimensions,
            self.lower_case,
            self.dropout,
            self.word_dropout,
            self.max_tokens,
        )
