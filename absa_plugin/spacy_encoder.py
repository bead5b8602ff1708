"""The encoder of texts as spaCy tokens with word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from absa_plugin.pipeline_licence import describe_licence
from mtl_core import EncoderSpec, Probability

if TYPE_CHECKING:
    from absa_plugin.word_encoder import WordEncoder


class SpacyEncoder(EncoderSpec):
    """Lower-cased tokens of a spaCy pipeline with word vectors.

    An out-of-vocabulary word uses the pipeline's vector. If there is none, it is replaced by the training word with
    the most similar spelling; if no word is similar enough, by the unknown word, which has a vector.
    """

    type: Literal["spacy"] = "spacy"
    pipeline: str = "blank:en"
    """An installed pipeline (`en_core_web_md`), a pipeline's folder, or `blank:` and a language code."""
    trainable: bool = True
    """Train the word vectors; false freezes pretrained vectors."""
    dimensions: PositiveInt = 100
    """Width of the word vectors if the pipeline has none."""
    drop: list[Literal["stop-words", "numbers", "punctuation"]] = []
    """Tokens to leave out. `stop-words` is a list of English function words that includes "not"."""
    word_dropout: Probability = 0.0
    """Probability that a word is replaced by the unknown word during training."""
    max_tokens: PositiveInt = 256
    """Maximum number of tokens per text; longer texts are truncated."""

    def list_licence_notes(self) -> Sequence[str]:
        """Return the licence note of the pipeline's vectors."""
        return describe_licence(self.pipeline)

    def list_packages(self) -> Sequence[str]:
        """Return spaCy, and the package of the pipeline."""
        return ("spacy", self.pipeline)

    def build(self) -> WordEncoder:
        """Load the pipeline's tokenizer and vectors."""
        from absa_plugin.word_encoder import WordEncoder

        return WordEncoder(
            self.pipeline, self.trainable, self.dimensions, frozenset(self.drop), self.word_dropout, self.max_tokens
        )
