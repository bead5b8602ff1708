"""The ids of a table's rows, and the rows' places as origins."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.tables.inputs import shown
from mtl_core.builtins.tables.stores import PackedStore
from mtl_core.data.columns import DistinctIds, PackedColumn
from mtl_core.data.rows import RowByRow
from mtl_core.errors import MtlError


def id_in(cell: object, name: str) -> str:
    """Read an id: a text or a whole number.

    Raises:
        MtlError: If the cell holds neither.
    """
    text = cell.strip() if isinstance(cell, str) else cell
    if isinstance(text, bool) or not isinstance(text, str | int) or text == "":
        raise MtlError(f"column '{name}': expected an id, found {shown(text)}")
    return str(text)


def hashed(text: str) -> int:
    """A number of 64 bits, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


class PackedIds(DistinctIds):
    """Ids in one piece of memory.

    Args:
        column: The ids.
    """

    def __init__(self, column: PackedColumn) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def at(self, row: int) -> str:
        """The id of a row."""
        found: str = self._column.at(row)
        return found


class IdStore:
    """Ids in the making."""

    def __init__(self) -> None:
        self._ids = PackedStore()
        self._hashes = array("q")

    def add(self, name: str, part: str) -> None:
        """Take an id and the part that it must be distinct in."""
        self._ids.add(name)
        self._hashes.append(hashed(f"{part} {name}"))

    def column(self, parts: Sequence[str], origins: Sequence[str]) -> PackedIds:
        """Give the ids.

        Raises:
            MtlError: If a part has one of them twice.
        """
        ids = self._ids.column()
        hashes = np.asarray(self._hashes)
        for row in _repeated(hashes).tolist():
            # Two ids can share a hash, once in a blue moon.
            for earlier in np.flatnonzero(hashes[:row] == hashes[row]).tolist():
                if (parts[earlier], ids[earlier]) == (parts[row], ids[row]):
                    raise MtlError(f"{origins[row]}: the id '{ids[row]}' is taken ({origins[earlier]})")
        return PackedIds(ids)


def _repeated(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows `(n,)` whose number stands in an earlier row too, in their order."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    return np.sort(order[1:][ordered[1:] == ordered[:-1]])


class Origins(RowByRow[str]):
    """Where each row stands, said only when it is asked.

    Args:
        files: For each file, how it names a row's place, and how many rows it has.
        numbers: `(rows,)`: the numbers of the rows in their files.
    """

    def __init__(self, files: Sequence[tuple[Callable[[int], str], int]], numbers: NDArray[np.uint32]) -> None:
        self._files = files
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def at(self, row: int) -> str:
        """The place of a row."""
        number, start = int(self._numbers[row]), 0
        for origin, rows in self._files:
            start += rows
            if row < start:
                return origin(number)
        raise IndexError(row)
