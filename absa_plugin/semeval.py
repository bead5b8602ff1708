"""The loader of SemEval-2014 Task 4: sentences labelled with the polarities of aspect categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from absa_plugin.semeval_labels import ABSENT, LabelledFile, build_corpus
from mtl_core import InputFile, LoaderSpec, MtlError

if TYPE_CHECKING:
    from mtl_core import Corpus
    from mtl_core.data import SplitName

SAMPLE = Path(__file__).resolve().parent / "sample"


class SemEval2014(LoaderSpec):
    """SemEval-2014 Task 4 XML: one label column per aspect category.

    A sentence with `<aspectCategories>` is annotated: a category that it does not mention has the label
    `absent`. A sentence without that element has no label for any category. A category that occurs twice
    with the same polarity counts once; as both positive and negative, it has the label `conflict`, as in the
    annotation guidelines; any other pair is an error. Aspect terms (`<aspectTerm>`) become spans named `terms`, on
    which the auxiliary task `marked-words` is trained.
    """

    sample_texts: ClassVar[Sequence[str]] = (
        "The soup was wonderful, but we waited an hour for it.",
        "Lovely terrace, friendly waiters, and the bill was a pleasant surprise.",
        "The fish was cold and far too expensive.",
        "We came here for my birthday with ten friends.",
    )
    type: Literal["semeval2014"] = "semeval2014"
    train: InputFile
    """The training file."""
    test: InputFile | None = None
    """The test file."""
    validation: InputFile | None = None
    """The validation file, if validation data is not split off the training file."""
    polarities: list[str] = Field(default=["positive", "negative", "neutral", "conflict"], min_length=1)
    """The allowed polarities."""
    categories: list[str] | None = None
    """The allowed categories; null allows all categories of the training file."""

    def list_licence_notes(self) -> Sequence[str]:
        """Return notes about the licence of the shared task's files, or of the packaged sample."""
        if self.train.resolve().parent == SAMPLE:
            return ("The sample data was written for this project and has its licence, Apache-2.0.",)
        return (
            "The files of SemEval-2014 Task 4 are for research only and must not be redistributed. The licence of "
            "other files in this format is unknown.",
        )

    @model_validator(mode="after")
    def _check_distinct_names(self) -> SemEval2014:
        if ABSENT in self.polarities:
            raise ValueError(f"'{ABSENT}' cannot be a polarity: it is the label of an unmentioned category")
        for names in (self.polarities, self.categories or []):
            duplicates = [name for name, count in Counter(names).items() if count > 1]
            if duplicates:
                raise ValueError(f"'{duplicates[0]}' is listed twice")
        return self

    def load(self) -> Corpus:
        """Read the training, validation and test files.

        Raises:
            MtlError: If a file is missing or malformed, or contains a category that the training file lacks.
        """
        train = self._read(self.train, "train")
        if not train.counts:
            raise MtlError(f"{self.train}: no sentence names an aspect category, so there is nothing to learn")
        files = [train]
        if self.validation:
            files.append(self._read(self.validation, "validation"))
        if self.test:
            files.append(self._read(self.test, "test"))
        for file in files[1:]:
            file.check_categories(list(train.counts), "never occurs in the training file")
        for name in self.categories or []:
            if name not in train.counts:
                train.warnings.append(f"{self.train.name}: the category '{name}' never occurs")
        return build_corpus(files, self._sort_categories(train))

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another file, labelled or unlabelled, as test data.

        A category of the run that an annotated sentence does not mention has the label `absent`.

        Raises:
            MtlError: If the file is missing or malformed.
        """
        file = self._read(path, "test")
        return build_corpus([file], list(dict.fromkeys([*columns, *self._sort_categories(file)])))

    def from_text(self, text: str) -> str:
        """Convert a text to a sentence.

        Raises:
            MtlError: If the text is empty.
        """
        text = text.strip()
        if not text:
            raise MtlError("the text is empty")
        return text

    def _read(self, path: Path, split_name: SplitName) -> LabelledFile:
        from absa_plugin.semeval_xml import read_sentences

        file = LabelledFile(read_sentences(path), split_name, self.polarities)
        if self.categories is not None:
            file.check_categories(self.categories, "is not one of `categories`")
        return file

    def _sort_categories(self, file: LabelledFile) -> list[str]:
        """Return the categories, most frequent first."""
        names = {*file.counts, *(self.categories or [])}
        return sorted(names, key=lambda name: (-file.counts[name], name))
