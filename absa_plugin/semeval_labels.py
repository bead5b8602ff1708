"""The labels of SemEval-2014 sentences: validated, merged, as a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mtl_core import MtlError, did_you_mean, join_names

if TYPE_CHECKING:
    from absa_plugin.semeval_xml import Mention, Sentence, SentenceFile
    from mtl_core import Corpus
    from mtl_core.data import Span, SplitName

TERMS = "terms"
"""The name of the spans of aspect terms."""
ABSENT = "absent"
"""The label of a category that an annotated sentence does not mention."""

Labels = Mapping[str, str | None] | None
"""Category to polarity of one sentence (None: without a polarity); None if the sentence is not annotated."""


class LabelledFile:
    """The non-empty sentences of one file with their validated labels.

    Args:
        file: The parsed file.
        split_name: The split of all examples of the file.
        polarities: The allowed polarities.
    """

    def __init__(self, file: SentenceFile, split_name: SplitName, polarities: Sequence[str]) -> None:
        self.path = file.path
        self.disclaimer = file.disclaimer
        self.split_name = split_name
        self.polarities = polarities
        self._warned_ids: dict[str, list[str]] = {}
        self.sentences = []
        for sentence in file.sentences:
            if sentence.text:
                self.sentences.append(sentence)
            else:
                self._record_warning("the text is empty in {}; set aside", sentence)
        self.labels = [self._parse_labels(sentence) for sentence in self.sentences]
        self.has_terms = file.has_terms
        self.counts = Counter(name for labels in self.labels for name in labels or {})
        self.warnings = [self._format_warning(pattern, ids) for pattern, ids in self._warned_ids.items()]
        if file.duplicate_ids:
            ids = join_names(dict.fromkeys(file.duplicate_ids), 5)
            self.warnings.append(f"{self.path.name}: ids that occur more than once were numbered ({ids})")

    @property
    def spans(self) -> list[list[Span] | None]:
        """The aspect terms of each sentence; None for a sentence that is not annotated."""
        return [self._build_spans(sentence) for sentence in self.sentences]

    def _build_spans(self, sentence: Sentence) -> list[Span] | None:
        from mtl_core.data import Span

        if not self.has_terms or (sentence.mentions is None and not sentence.terms):
            return None
        return [Span(term.start, term.end, term.polarity) for term in sentence.terms]

    def format_location(self, sentence: Sentence, line: int | None = None) -> str:
        """Return the location of a sentence, or of one of its lines."""
        return f"{self.path}:{line or sentence.line}: sentence {sentence.id}"

    def check_categories(self, known: Sequence[str], reason: str) -> None:
        """Check that all categories are known.

        Raises:
            MtlError: At the first unknown category.
        """
        for sentence in self.sentences:
            for mention in sentence.mentions or ():
                if mention.category not in known:
                    raise MtlError(
                        f"{self.format_location(sentence, mention.line)}: the category '{mention.category}'"
                        f" {reason}{did_you_mean(mention.category, known)} (known: {join_names(known)})"
                    )

    def _parse_labels(self, sentence: Sentence) -> Labels:
        if sentence.mentions is None:
            return None
        mentions_by_category: dict[str, list[Mention]] = {}
        for mention in sentence.mentions:
            self._check_polarity(sentence, mention)
            mentions_by_category.setdefault(mention.category, []).append(mention)
        labels = {name: self._merge_mentions(sentence, mentions) for name, mentions in mentions_by_category.items()}
        if None in labels.values():
            self._record_warning("a category is named without a polarity in {}; that label is missing", sentence)
        return labels

    def _check_polarity(self, sentence: Sentence, mention: Mention) -> None:
        polarity = mention.polarity
        if polarity is not None and polarity not in self.polarities:
            raise MtlError(
                f"{self.format_location(sentence, mention.line)}: unknown polarity '{polarity}' of the category"
                f" '{mention.category}'{did_you_mean(polarity, self.polarities)}"
                f" (polarities: {join_names(self.polarities)})"
            )

    def _merge_mentions(self, sentence: Sentence, mentions: Sequence[Mention]) -> str | None:
        """Merge a sentence's mentions of one category into one label."""
        first = mentions[0]
        other = next((mention for mention in mentions if mention.polarity != first.polarity), None)
        if other is None:
            if len(mentions) > 1:
                self._record_warning("a category is named twice with one polarity in {}; merged", sentence)
            return first.polarity
        distinct = {mention.polarity for mention in mentions}
        if distinct == {"positive", "negative"} and "conflict" in self.polarities:
            self._record_warning("a category is named as positive and as negative in {}; read as 'conflict'", sentence)
            return "conflict"
        raise MtlError(
            f"{self.format_location(sentence, other.line)}: the category '{first.category}' is named as"
            f" {first.polarity or 'without polarity'} and as {other.polarity or 'without polarity'};"
            " only positive and negative can be merged, as 'conflict'"
        )

    def _record_warning(self, pattern: str, sentence: Sentence) -> None:
        ids = self._warned_ids.setdefault(pattern, [])
        if sentence.id not in ids[-1:]:
            ids.append(sentence.id)

    def _format_warning(self, pattern: str, ids: Sequence[str]) -> str:
        count = f"{len(ids)} sentence" if len(ids) == 1 else f"{len(ids)} sentences"
        return f"{self.path.name}: {pattern.format(count)} ({join_names(ids, 5)})"


def build_corpus(files: Sequence[LabelledFile], columns: Sequence[str]) -> Corpus:
    """Build a corpus from the sentences of all files, with one label column per category."""
    from mtl_core import Corpus

    labels = [labels for file in files for labels in file.labels]
    has_terms = any(file.has_terms for file in files)
    return Corpus(
        ids=[sentence.id for file in files for sentence in file.sentences],
        inputs=[sentence.text for file in files for sentence in file.sentences],
        labels={
            name: [None if sentence_labels is None else sentence_labels.get(name, ABSENT) for sentence_labels in labels]
            for name in columns
        },
        splits=[file.split_name for file in files for _ in file.sentences],
        locations=[file.format_location(sentence) for file in files for sentence in file.sentences],
        spans={TERMS: [spans for file in files for spans in file.spans]} if has_terms else {},
        disclaimer=" ".join(dict.fromkeys(file.disclaimer for file in files if file.disclaimer)),
        warnings=[warning for file in files for warning in file.warnings],
    )
