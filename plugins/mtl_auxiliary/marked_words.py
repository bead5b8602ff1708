"""The spec of the auxiliary task that tags annotated spans."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from mtl_auxiliary.word_counts import require_words
from mtl_core import (
    AuxiliaryData,
    AuxiliarySpec,
    AuxiliaryTask,
    HeadField,
    MtlError,
    TokenTagging,
    default_type,
    did_you_mean,
    join_names,
)
from mtl_core.data import Span


class MarkedWords(AuxiliarySpec):
    """Supervised: the label of the annotated span that contains each word; all other words are `outside`.

    For reviews, the spans are the aspect terms of a sentence with their polarity: labels per word for what the main
    tasks learn from labels per sentence.
    """

    type: Literal["marked-words"] = "marked-words"
    spans: str = Field(min_length=1)
    """Name of the span annotations of the loader: `terms` for SemEval-2014."""
    outside: str = Field(default="outside", min_length=1)
    """The class of words outside of all spans."""
    head: HeadField = default_type("token-linear")
    """The head, which predicts one tag per word."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Tag the words of the annotated texts and build the task.

        Raises:
            MtlError: If the data has no such span annotations, or the inputs are not texts.
        """
        require_words(data)
        annotations = data.corpus.spans
        if self.spans not in annotations:
            raise MtlError(
                f"spans: the data has no span annotations '{self.spans}'{did_you_mean(self.spans, annotations)} "
                f"(span annotations: {join_names(annotations)})"
            )
        tags = [self._tag_words(data, row, spans) for row, spans in enumerate(annotations[self.spans])]
        span_labels = sorted(
            {tag for row in data.train_rows.tolist() for tag in tags[row] or () if tag} - {self.outside}
        )
        if not span_labels:
            raise MtlError(f"spans: no training text has a span of '{self.spans}'")
        training_tags = {*span_labels, self.outside}
        labels = [None if row is None else [tag if tag in training_tags else None for tag in row] for row in tags]
        return [AuxiliaryTask(self.task_name, TokenTagging(classes=[*span_labels, self.outside]), self.head, labels)]

    def _tag_words(self, data: AuxiliaryData, row: int, spans: Sequence[Span] | None) -> list[str | None] | None:
        """Tag the words of a text; a word in several overlapping spans has the tag of the first."""
        if spans is None:
            return None
        text = data.corpus.get_text(row)
        tags, end = list[str | None](), 0
        for word in data.words(row):
            start = text.find(word, end)
            if start < 0:  # the encoder has changed the spelling of the word
                tags.append(None)
                continue
            end = start + len(word)
            span = next((span for span in spans if span.start < end and start < span.end), None)
            tags.append(self.outside if span is None else span.label)
        return tags
