"""The spec of the auxiliary task that predicts part-of-speech tags."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mtl_auxiliary.word_counts import iterate_words, require_words
from mtl_core import (
    AuxiliaryData,
    AuxiliarySpec,
    AuxiliaryTask,
    HeadField,
    MtlError,
    TokenTagging,
    default_type,
    join_names,
)


class PartOfSpeech(AuxiliarySpec):
    """Statistical: the part of speech of each word, as tagged by a spaCy pipeline.

    One of the auxiliary tasks compared by Bingel and Søgaard (2017) and by Martínez Alonso and Plank (2017). A tag
    that no training word has counts as a missing label in validation and test data.
    """

    type: Literal["part-of-speech"] = "part-of-speech"
    pipeline: str = Field(min_length=1)
    """An installed spaCy pipeline with a tagger (`en_core_web_md`), or the path of a pipeline."""
    tags: Literal["coarse", "fine"] = "coarse"
    """`coarse`: the universal tags (NOUN, VERB, …); `fine`: the tags of the pipeline's tagset (NNS, VBD, …)."""
    head: HeadField = default_type("token-linear")
    """The head, which predicts one tag per word."""

    def list_packages(self) -> Sequence[str]:
        """Return spaCy, and the package of the pipeline."""
        return ("spacy", self.pipeline)

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Tag all inputs and build the task.

        Raises:
            MtlError: If no training input contains words, or the pipeline cannot be loaded or returns no tags.
        """
        from mtl_auxiliary.spacy_tagger import tag_words

        require_words(data)
        tags_per_text = tag_words(self.pipeline, iterate_words(data), fine=self.tags == "fine")
        training_tags = sorted({tag for row in data.train_rows.tolist() for tag in tags_per_text[row] if tag})
        if len(training_tags) < 2:
            raise MtlError(
                f"tags: the training words have fewer than two {self.tags} tags of the pipeline '{self.pipeline}' "
                f"({join_names(training_tags)})"
            )
        training_tag_set = set(training_tags)
        labels = [[tag if tag in training_tag_set else None for tag in tags] for tags in tags_per_text]
        return [AuxiliaryTask(self.task_name, TokenTagging(classes=training_tags), self.head, labels)]
