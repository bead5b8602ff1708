"""The encoder of words whose vectors are distilled from a transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from mtl_core import EncoderSpec
from mtl_transformers.licence import model_licence
from mtl_transformers.model_name import DEFAULT_MODEL, CacheFolder, ModelName, check_installed

if TYPE_CHECKING:
    from mtl_transformers.distilled_encoder import DistilledEncoder

Rate = Annotated[float, Field(ge=0, lt=1)]


class Distilled(EncoderSpec):
    """Words as rows of one table of vectors, which a pretrained transformer made by reading each word alone.

    Vectors are centred and brought to fewer dimensions by PCA over the training words (as in model2vec). The
    transformer is asked once a word; afterwards the network is as fast as one with any word vectors.
    """

    type: Literal["distilled"] = "distilled"
    model: ModelName = DEFAULT_MODEL
    """`all-minilm-l6-v2` (installed with the extra), a folder (`./my-model`), or a name on the Hugging Face hub."""
    layers: Annotated[list[int], Field(min_length=1)] = [-1]
    """Whose states make a word's vector, their mean: 0 is what the first layer reads, -1 what the last gives."""
    pooling: Literal["pieces", "first", "all"] = "pieces"
    """Of which states: the mean of the word's pieces; that of the first mark, such as [CLS]; the mean of all."""
    dimensions: PositiveInt = 256
    """Width of the vectors, at most the model's."""
    whiten: bool = False
    """Bring all dimensions to one variance."""
    norm: PositiveFloat = 1.0
    """The mean length of the vectors."""
    tune: bool = True
    """Let training move the vectors of the training words."""
    unseen: Literal["compute", "unknown"] = "compute"
    """Words that training did not see: `compute` asks the transformer for them, also when predicting; `unknown`
    reads them as "unknown word", and predicting does without the transformer."""
    language: str = "en"
    """The spaCy language whose rules divide texts into words."""
    lower_case: bool = True
    """Read "Good" and "good" as one word."""
    drop: list[Literal["stop-words", "numbers", "punctuation"]] = []
    """Tokens to leave out. `stop-words` is the language's own list, which may hold "not"."""
    vocabulary_size: Annotated[int, Field(ge=3)] = 50_000
    """Rows of the table at most; words that are rarer are read as unseen ones."""
    min_count: PositiveInt = 1
    """How often a word must stand in the training data to get a row."""
    word_dropout: Rate = 0.0
    """How often a word is read as "unknown word" during training."""
    max_tokens: PositiveInt = 256
    """Where longer texts are cut."""
    cache: CacheFolder = True
    """Keep vectors of vocabularies in the user's cache folder, or in this one; `false` keeps none."""

    def licence_notes(self) -> Sequence[str]:
        """Say what the model states of its weights."""
        return model_licence(self.model)

    def build(self) -> DistilledEncoder:
        """Make the encoder; the model is looked for when it is needed.

        Raises:
            MtlError: If the extra is not installed, or there is no such language.
        """
        check_installed("encoder", self.type, "transformers", "tokenizers")
        from mtl_transformers.disk_cache import DiskCache
        from mtl_transformers.distilled_encoder import DistilledEncoder
        from mtl_transformers.projection import Projecting
        from mtl_transformers.teacher import Teacher
        from mtl_transformers.word_tokens import WordTokens

        return DistilledEncoder(
            Teacher(self.model, self.layers, self.pooling),
            Projecting(self.dimensions, self.whiten, self.norm),
            WordTokens(self.language, self.lower_case, frozenset(self.drop), self.max_tokens),
            DiskCache.of(self.cache),
            self.vocabulary_size,
            self.min_count,
            self.word_dropout,
            self.tune,
            compute=self.unseen == "compute",
        )
