"""The loader of tabular files: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mtl_core.config.name_patterns import compress_names, expand_range, is_pattern
from mtl_core.config.paths import InputFile
from mtl_core.data.files.extensions import validate_extension
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.column_types import COLUMN_TYPES
from mtl_core.plugins.specs import LoaderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.tables.input_readers import InputReader
    from mtl_core.data.corpus import Corpus, SplitName

ColumnName = Annotated[str, Field(min_length=1)]
ColumnType = Annotated[str, Field(json_schema_extra={"enum": list(COLUMN_TYPES)})]
INPUT_KEYS = ("text", "words", "numbers", "inputs")
LIST_TYPES = ("multi-category", "array")
"""Types of input columns whose cells can be lists."""


class Table(LoaderSpec):
    """Tables with one row per example: CSV, TSV, JSON Lines or Parquet, chosen by the file extension.

    Inputs are the texts of one column, or its lists of words, or the numbers of several columns, or rows of several
    columns of any types. Every other column can be a label column. Files of any size are read with little memory:
    inputs of large files stay on disk until they are needed.
    """

    type: Literal["table"] = "table"
    reads_json_lines: ClassVar[bool] = True
    default_encoders: ClassVar[Mapping[str, str]] = {"numbers": "array"}
    train: InputFile
    """The training file: `.csv`, `.tsv`, `.jsonl` or `.parquet`; text files may be compressed (`.csv.gz`)."""
    validation: InputFile | None = None
    """The validation file; without it, validation data is split off the training file."""
    test: InputFile | None = None
    """The test file."""
    text: ColumnName | None = None
    """The column of texts. One of `text`, `words`, `numbers` and `inputs` is needed."""
    words: ColumnName | None = None
    """The column of lists of words, for tokenized texts."""
    numbers: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    """The numeric columns that form an array: names, patterns (`fp_*`) and ranges (`fp{0..1023}`). A cell may be a
    list of numbers in JSON Lines and Parquet."""
    inputs: Annotated[dict[ColumnName, ColumnType], Field(min_length=1)] | None = None
    """Several input columns, each with its type: `text`, `number`, `category`, `multi-category`, `date`, `image` (a
    path, relative to the folder of the file), `array` or `sparse` (indices from 0, each with an optional value:
    `12 57:2.5`). An empty cell is a missing one."""
    labels: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    """The label columns: names, patterns and ranges; null selects every column of the training file that has no other
    use."""
    ignore: list[ColumnName] = []
    """Columns that are neither inputs nor labels: names, patterns and ranges."""
    id: ColumnName | None = None
    """The column of ids, unique within a split; null numbers the rows of each file."""
    split: ColumnName | None = None
    """The column with the split (`train`, `validation` or `test`), if one file contains all splits."""
    metadata: list[ColumnName] = []
    """Columns for splitters, such as the author of an example or its date."""
    weights: dict[ColumnName, ColumnName] = {}
    """Label column: column of weights for the labels of each example. An empty cell means 1."""
    lists: dict[ColumnName, Annotated[str, Field(min_length=1)]] = {}
    """Column: separator of its list members, where cells are texts (a space for `words` and arrays)."""
    missing: list[str] = [""]
    """Cell values that mark a missing label or cell of `inputs`; null in JSON Lines and Parquet always does."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Delimiter of CSV files; null is a tab in `.tsv` files and a comma in others."""
    quoted: bool = True
    """Whether quotation marks enclose cells of CSV files; otherwise they are ordinary characters."""
    disclaimer: str = ""
    """A disclaimer that every output repeats, such as that the data is a sample."""

    @field_validator("train", "validation", "test")
    @classmethod
    def _validate_extension(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                validate_extension(path)
            except MtlError as error:
                raise ValueError(str(error)) from error
        return path

    @field_validator("inputs")
    @classmethod
    def _validate_input_types(cls, inputs: dict[str, str] | None) -> dict[str, str] | None:
        from mtl_core.data.column_types import validate_input_types

        try:
            validate_input_types(inputs or {})
        except MtlError as error:
            raise ValueError(str(error)) from error
        return inputs

    @field_validator("delimiter")
    @classmethod
    def _validate_delimiter(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and delimiter in '"\r\n\0':
            raise ValueError(f"{delimiter!r} cannot separate cells")
        return delimiter

    @model_validator(mode="after")
    def _validate_columns(self) -> Table:
        input_keys = [name for name in INPUT_KEYS if getattr(self, name) is not None]
        if len(input_keys) != 1:
            detail = f"found {' and '.join(input_keys)}" if input_keys else "found none of them"
            raise ValueError(
                f"expected one of `text`, `words`, `numbers` and `inputs`, which define the inputs; {detail}"
            )
        if self.split and (self.validation or self.test):
            split_name = "validation" if self.validation else "test"
            raise ValueError(f"`split` divides the training file, so a `{split_name}` file is not allowed")
        self._validate_names()
        return self

    def _validate_names(self) -> None:
        inputs = self.input_names
        for key, names in {
            "numbers": self.numbers or [],
            "labels": self.labels or [],
            "ignore": self.ignore,
            "metadata": self.metadata,
        }.items():
            duplicates = [name for name, count in Counter(names).items() if count > 1]
            if duplicates:
                raise ValueError(f"`{key}` names '{duplicates[0]}' twice")
        for name in self.labels or []:
            if name in inputs and is_pattern(name):
                raise ValueError(
                    f"`labels` and `numbers` contain the pattern '{name}'; a column is an input or a label"
                )
            if name in inputs:
                raise ValueError(f"the column '{name}' cannot be both an input and a label")
        for name in self.ignore:
            if name in {*inputs, *(self.labels or ())}:
                raise ValueError(f"`ignore` names '{name}', which is also an input or a label")
        if self.labels is None or any(map(is_pattern, self.labels)):
            return
        for name in self.weights:
            self._validate_known("weights", name, self.labels)
        for name in self.lists:
            self._validate_known("lists", name, [*self.labels, *self.list_inputs])

    def _validate_known(self, key: str, name: str, known: Sequence[str]) -> None:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f"`{key}` names '{name}', which is not a column{hint} (columns: {join_names(known)})")

    @property
    def input_names(self) -> list[str]:
        """The input columns; patterns in `numbers` are not replaced by names."""
        if self.numbers is not None:
            return [name for entry in self.numbers for name in expand_range(entry)]
        return list(self.inputs or ()) or [name for name in (self.text, self.words) if name is not None]

    @property
    def list_inputs(self) -> list[str]:
        """The input columns whose cells can be lists."""
        words = [self.words] if self.words is not None else []
        return words + [name for name, column_type in self.input_types.items() if column_type in LIST_TYPES]

    @property
    def input_types(self) -> Mapping[str, str]:
        """The type of each column of `inputs`."""
        return self.inputs or {}

    @property
    def reserved_columns(self) -> set[str]:
        """The columns that are not labels."""
        row_columns = {name for name in (self.id, self.split) if name is not None}
        return {*self.input_names, *row_columns, *self.metadata, *self.weights.values(), *self.ignore}

    def build_input_reader(self) -> InputReader:
        """Return the reader of this table's inputs."""
        from mtl_core.builtins.loaders.tables.input_readers import (
            NumberInputReader,
            RowInputReader,
            TextInputReader,
            WordInputReader,
        )

        if self.inputs is not None:
            return RowInputReader(self.inputs, self.lists, self.missing)
        if self.numbers is not None:
            return NumberInputReader(self.input_names)
        if self.words is not None:
            return WordInputReader(self.words, self.lists.get(self.words, " "))
        return TextInputReader(self.input_names[0])

    def load(self) -> Corpus:
        """Read the training, validation and test files.

        Raises:
            MtlError: If a file is missing or malformed; the message names file, line and column.
        """
        from mtl_core.builtins.loaders.tables.corpus_builder import read_tables

        files: list[tuple[Path, SplitName]] = [(self.train, "train")]
        if self.validation:
            files.append((self.validation, "validation"))
        if self.test:
            files.append((self.test, "test"))
        return read_tables(self, files)

    def resolve_inputs(self) -> Table:
        """Return a table with the names of the columns that patterns in `numbers` match in the training file.

        Raises:
            MtlError: If a pattern matches no column, or the training file is malformed.
        """
        from mtl_core.builtins.loaders.tables.column_selection import needs_columns, select_columns
        from mtl_core.builtins.loaders.tables.open_table import open_table

        if not needs_columns(self.numbers or ()) or not self.train.is_file():
            return self
        file = open_table(self.train, self.delimiter, self.quoted)
        resolved = select_columns(self, file)
        return self.model_copy(update={"numbers": compress_names(resolved.numbers or ())})

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read another table as test data: its inputs, and those of the given label columns that it contains.

        Raises:
            MtlError: If the file is missing or malformed.
        """
        from mtl_core.builtins.loaders.tables.corpus_builder import read_tables

        return read_tables(self.resolve_inputs(), [(path, "test")], columns)

    def add_label_columns(self, columns: Sequence[str]) -> Table:
        """Return a loader that also reads these label columns; without `labels`, it reads all columns already."""
        if self.labels is None:
            return self
        return self.model_copy(update={"labels": list(dict.fromkeys([*self.labels, *columns]))})

    def replace_training_file(self, path: Path, columns: Sequence[str]) -> Table:
        """Return a loader of the same inputs in another training file; ids are kept if the file has their column.

        Raises:
            MtlError: If the file is missing or malformed.
        """
        from mtl_core.builtins.loaders.tables.open_table import open_table

        header = open_table(path, self.delimiter, self.quoted).header
        block = {
            **self.model_dump(mode="json"),
            "train": str(path),
            "validation": None,
            "test": None,
            "split": None,
            "labels": list(columns),
            "weights": {},
            "lists": {name: text for name, text in self.lists.items() if name in {*columns, *self.list_inputs}},
            "id": self.id if header is not None and self.id in header else None,
        }
        return type(self).model_validate(block)

    def from_row(self, row: Mapping[str, object]) -> object:
        """Convert a row to an input; relative paths of images are resolved against the working directory.

        Raises:
            MtlError: If an input column is missing, or a cell is invalid.
        """
        reader = self.build_input_reader()
        for name in reader.names:
            if name not in row:
                columns = [str(column) for column in row]
                raise MtlError(f"no column '{name}'{did_you_mean(name, columns)} (columns: {join_names(columns)})")
        return reader.read(row, Path.cwd())

    def from_text(self, text: str) -> object:
        """Convert a text to an input; for `words`, split it at white space.

        Raises:
            MtlError: If the text is empty, or inputs are numbers or rows of other columns than one of texts.
        """
        return self.build_input_reader().from_text(text)
