"""The spec of the encoder `distilled`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtl_core import CacheDir, EncoderSpec, Probability
from mtl_transformers.config_fields import DEFAULT_MODEL, ModelName, require_installed
from mtl_transformers.find_model import describe_model_licence, list_model_packages

if TYPE_CHECKING:
    from mtl_transformers.distilled_encoder import DistilledEncoder


class DistilledWords(EncoderSpec):
    """A table of static word vectors, computed by a pretrained transformer from each word without context.

    PCA over the training words centres the vectors and reduces their dimensions (as in model2vec). The transformer
    runs once per distinct word; then training is as fast as with other word vectors.
    """

    type: Literal["distilled"] = "distilled"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    layers: Annotated[list[int], Field(min_length=1)] = [-1]
    """The layers whose states are averaged: 0 is the embeddings, -1 the output of the last layer."""
    pooling: Literal["subwords", "first", "all"] = "subwords"
    """The pooled states: mean of the word's subwords; the first token, such as [CLS]; mean of all tokens."""
    dimensions: PositiveInt = 256
    """Size of the word vectors, at most the hidden size of the model."""
    whiten: bool = False
    """Scale all dimensions to equal variance."""
    norm: PositiveFloat = 1.0
    """Mean Euclidean norm of the word vectors."""
    trainable: bool = True
    """Train the word vectors of the vocabulary."""
    oov: Literal["compute", "unknown"] = "compute"
    """Out-of-vocabulary words: `compute` computes their vectors with the transformer, also for predictions;
    `unknown` reads them as "unknown word", so that predictions do not need the transformer."""
    language: str = "en"
    """The spaCy language of the word tokenizer."""
    lower_case: bool = True
    """Convert words to lower case: "Good" and "good" are one word."""
    drop: list[Literal["stop-words", "numbers", "punctuation"]] = []
    """Kinds of words to remove. `stop-words` is spaCy's list of the language, which may contain "not"."""
    vocabulary_size: Annotated[int, Field(ge=3)] = 50_000
    """Maximum number of rows of the table; less frequent words are out of vocabulary."""
    min_count: PositiveInt = 1
    """Minimum number of occurrences in the training data for a word to get a row."""
    word_dropout: Probability = 0.0
    """Probability that a word is replaced by the "unknown word" during training."""
    max_tokens: PositiveInt = 256
    """Maximum number of words; longer texts are truncated."""
    cache: CacheDir = True
    """Cache vectors in the user's cache folder (`true`), in this folder, or not at all (`false`)."""

    def list_licence_notes(self) -> Sequence[str]:
        """Return the licence note of the model's weights."""
        return describe_model_licence(self.model)

    def list_packages(self) -> Sequence[str]:
        """Return the packages of the model, and spaCy, which splits words."""
        return (
            "spacy",
            *list_model_packages(self.model),
        )

    def build(self) -> DistilledEncoder:
        """Build the encoder; the model is located on first use.

        Raises:
            MtlError: If the extra is not installed, or there is no such language.
        """
        require_installed("encoder", self.type, "transformers", "tokenizers")
        from mtl_transformers.distilled_encoder import DistilledEncoder
        from mtl_transformers.pca import PCA
        from mtl_transformers.spacy_tokenizer import SpacyTokenizer
        from mtl_transformers.teacher import Teacher
        from mtl_transformers.vector_cache import VectorCache

        return DistilledEncoder(
            Teacher(self.model, self.layers, self.pooling),
            PCA(self.dimensions, self.whiten, self.norm),
            SpacyTokenizer(self.language, self.lower_case, frozenset(self.drop), self.max_tokens),
            VectorCache.from_config(self.cache),
            self.vocabulary_size,
            self.min_count,
            self.word_dropout,
            self.trainable,
            compute_oov=self.oov == "compute",
        )
