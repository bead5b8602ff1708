"""The ids of a table's rows, and the locations of its rows."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.loaders.tables.column_stores import PackedStore
from mtl_core.data.columns import JsonColumn, UniqueIds
from mtl_core.data.files.cells import format_cell
from mtl_core.data.lazy_sequences import VirtualSequence
from mtl_core.errors import MtlError


def parse_id(cell: object, name: str) -> str:
    """Parse an id: a text or an integer.

    Raises:
        MtlError: If the cell is neither.
    """
    text = cell.strip() if isinstance(cell, str) else cell
    if isinstance(text, bool) or not isinstance(text, str | int) or text == "":
        raise MtlError(f"column '{name}': expected an id, found {format_cell(text)}")
    return str(text)


def hash_text(text: str) -> int:
    """Return a 64-bit hash that is the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


class PackedIds(UniqueIds):
    """Ids in one contiguous buffer.

    Args:
        column: The ids.
    """

    def __init__(self, column: JsonColumn) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def get_row(self, row: int) -> str:
        """Return the id of a row."""
        row_id: str = self._column.get_row(row)
        return row_id


class IdStore:
    """Growing collection of ids."""

    def __init__(self) -> None:
        self._ids = PackedStore()
        self._hashes = array("q")

    def add(self, row_id: str, split_name: str) -> None:
        """Add an id and the split in which it must be unique."""
        self._ids.add(row_id)
        self._hashes.append(hash_text(f"{split_name} {row_id}"))

    def column(self, splits: Sequence[str], locations: Sequence[str]) -> PackedIds:
        """Return the ids.

        Raises:
            MtlError: If an id occurs twice in a split.
        """
        ids = self._ids.column()
        hashes = np.asarray(self._hashes)
        for row in _find_repeated(hashes).tolist():
            # Two different ids can share a hash.
            for earlier_row in np.flatnonzero(hashes[:row] == hashes[row]).tolist():
                if (splits[earlier_row], ids[earlier_row]) == (splits[row], ids[row]):
                    raise MtlError(f"{locations[row]}: duplicate id '{ids[row]}' ({locations[earlier_row]})")
        return PackedIds(ids)


def _find_repeated(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows `(n,)` whose hash occurs in an earlier row, in ascending order."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    return np.sort(order[1:][ordered[1:] == ordered[:-1]])


class RowLocations(VirtualSequence[str]):
    """Locations of the rows, formatted on demand.

    Args:
        files: For each file, a function that formats a row's location, and the number of its rows.
        numbers: `(rows,)`: the numbers of the rows in their files.
    """

    def __init__(self, files: Sequence[tuple[Callable[[int], str], int]], numbers: NDArray[np.uint32]) -> None:
        self._files = files
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def get_row(self, row: int) -> str:
        """Return the location of a row."""
        number, start = int(self._numbers[row]), 0
        for format_location, rows in self._files:
            start += rows
            if row < start:
                return format_location(number)
        raise IndexError(row)
