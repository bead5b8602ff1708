"""The metadata of some examples, which splitters read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.lazy_sequences import RowSubset
from mtl_core.errors import MtlError, did_you_mean, join_names


@dataclass(frozen=True)
class ExampleMetadata:
    """The metadata of some examples of a corpus.

    Attributes:
        columns: Mapping of column name to one cell (None if it is missing) per example.
        locations: The location of each example, for messages.

    Example:
        >>> metadata = ExampleMetadata({"user": ["ann", "bob", None]}, ["a.csv:2", "a.csv:3", "a.csv:4"])
        >>> metadata.get_column("user")[1]
        'bob'
    """

    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    locations: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.locations)

    def get_column(self, name: str) -> Sequence[object]:
        """Return the cells of a column.

        Raises:
            MtlError: If the data has no such column of metadata.
        """
        if name not in self.columns:
            raise MtlError(
                f"split.column: no column '{name}' in the metadata{did_you_mean(name, self.columns)} "
                f"(columns: {join_names(self.columns)}); `data.metadata` lists the columns that splitters read"
            )
        return self.columns[name]

    def select(self, rows: NDArray[np.int64]) -> "ExampleMetadata":
        """Return the metadata of some rows, without a copy."""
        return ExampleMetadata(
            {name: RowSubset(column, rows) for name, column in self.columns.items()}, RowSubset(self.locations, rows)
        )
