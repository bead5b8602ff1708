"""The loader of tables that Python hands in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from mtl_core.errors import MtlError
from mtl_core.plugins.specs import LoaderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.table import Table
    from mtl_core.data.corpus import Corpus
    from mtl_core.data.memory_tables import MemoryTables

ColumnName = Annotated[str, Field(min_length=1)]


class Memory(LoaderSpec):
    """Tables in memory, handed in from Python with `mtl.Data`; a run stores their digest instead of the data.

    A run predicts rows of files with the same columns: `mtl predict RUN --input rows.csv`.
    """

    type: Literal["memory"] = "memory"
    inputs: Annotated[dict[ColumnName, str], Field(min_length=1)]
    """Input column: its type, as for the loader `table`."""
    labels: list[ColumnName] = []
    """The label columns."""
    metadata: list[ColumnName] = []
    """Columns that splitters read, such as a user or a date."""
    id: ColumnName | None = None
    """The column of ids, unique within a split; null numbers the rows."""
    split: ColumnName | None = None
    """The column with the split (`train`, `validation` or `test`), if one table contains all splits."""
    weights: dict[ColumnName, ColumnName] = {}
    """Label column: column of weights for the labels of each example. A missing cell means 1."""
    missing: list[str] = [""]
    """Texts that mark a missing label; None, NaN and `pd.NA` always do."""
    disclaimer: str = ""
    """A disclaimer that every output repeats, such as that the data is a sample."""
    digest: str = ""
    """The SHA-256 digest of the data."""
    tables: SkipJsonSchema[Any] = Field(default=None, exclude=True, repr=False)
    """The tables. They cannot be written in YAML."""

    @field_validator("inputs")
    @classmethod
    def _validate_types(cls, inputs: dict[str, str]) -> dict[str, str]:
        from mtl_core.data.column_types import validate_input_types

        try:
            validate_input_types(inputs)
        except MtlError as error:
            raise ValueError(str(error)) from error
        return inputs

    @property
    def input_types(self) -> Mapping[str, str]:
        """The type of each input column."""
        return self.inputs

    def load(self) -> Corpus:
        """Build the corpus from the tables.

        Raises:
            MtlError: If the tables are missing, since the run was made in another process, or a cell is invalid.
        """
        from mtl_core.builtins.loaders.tables.memory_corpus import build_memory_corpus

        tables: MemoryTables | None = self.tables
        if tables is None:
            raise MtlError(
                "data: this run was trained on tables in memory, which are not saved; train again from Python with "
                "`model.fit(data)`, or evaluate other data with `mtl evaluate RUN --data FILE`"
            )
        return build_memory_corpus(self, tables)

    def load_file(self, path: Path, columns: Sequence[str]) -> Corpus:
        """Read a CSV, TSV, JSON Lines or Parquet file with the same columns as test data.

        Raises:
            MtlError: If the file is missing or malformed.
        """
        return self._build_file_loader(path).load_file(path, columns)

    def replace_training_file(self, path: Path, columns: Sequence[str]) -> Table:
        """Return a loader of a CSV, TSV, JSON Lines or Parquet file with the same columns.

        Raises:
            MtlError: If the file is missing or malformed.
        """
        return self._build_file_loader(path).replace_training_file(path, columns)

    def add_label_columns(self, columns: Sequence[str]) -> Memory:
        """Return a loader that also reads these label columns of its tables."""
        return self.model_copy(update={"labels": list(dict.fromkeys([*self.labels, *columns]))})

    def from_row(self, row: Mapping[str, object]) -> object:
        """Convert a row into an input.

        Raises:
            MtlError: If a column is missing, or a cell is invalid.
        """
        from mtl_core.data.column_types import parse_input_row

        return parse_input_row(row, self.inputs)

    def from_text(self, text: str) -> object:
        """Convert a text into an input, if the only input is a text.

        Raises:
            MtlError: If there are other inputs, or the text is empty.
        """
        return self._build_file_loader(Path("rows.csv")).from_text(text)

    def _build_file_loader(self, path: Path) -> Table:
        from mtl_core.builtins.loaders.table import Table

        return Table(train=path, inputs=self.inputs, labels=self.labels or None, missing=self.missing)
