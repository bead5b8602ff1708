"""Sparse vectors: the non-zero entries of one example."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.files.cells import FLOAT32_MAX, format_cell
from mtl_core.errors import MtlError

Indices = NDArray[np.uint16 | np.int32]
MAX_INDEX = 2**31 - 1
"""The largest index."""


class SparseRow:
    """The non-zero entries of a vector, sorted by index: 2 bytes per entry for up to 65,536 features, else 4.

    Args:
        indices: `(entries,)`: distinct indices, sorted; uint16 or int32.
        values: `(entries,)`, float32 or uint8; None if all values are 1.

    Example:
        >>> row = SparseRow.from_entries([7, 2], [1.0, 3.0])
        >>> row.indices.tolist(), row.values.tolist()
        ([2, 7], [3.0, 1.0])
    """

    __slots__ = ("indices", "values")

    def __init__(self, indices: Indices, values: NDArray[Any] | None = None) -> None:
        self.indices = indices
        self.values = values

    @classmethod
    def from_entries(cls, indices: Any, values: Any = None) -> SparseRow:
        """Build a row from entries in any order; values of equal indices are added, zeros are removed.

        Args:
            indices: `(entries,)`: integers from 0.
            values: `(entries,)`: numbers; None if all are 1.

        Raises:
            MtlError: If an index is no integer from 0 to 2,147,483,647, or a value is not finite.
        """
        positions = np.asarray(indices)
        if positions.size and not np.issubdtype(positions.dtype, np.integer):
            raise MtlError(f"expected indices from 0, found {format_cell(indices)}")
        positions = positions.astype(np.int64).reshape(-1)
        numbers = np.ones(len(positions)) if values is None else np.asarray(values, dtype=np.float64).reshape(-1)
        if len(numbers) != len(positions):
            raise MtlError(f"found {len(positions)} indices, but {len(numbers)} values")
        if len(positions) and not 0 <= positions.min() <= positions.max() <= MAX_INDEX:
            outlier = positions.min() if positions.min() < 0 else positions.max()
            raise MtlError(f"expected indices from 0 to {MAX_INDEX:,}, found {outlier}")
        if not np.isfinite(numbers).all() or (len(numbers) and np.abs(numbers).max() > FLOAT32_MAX):
            raise MtlError("found a number that is not finite")
        distinct, inverse = np.unique(positions, return_inverse=True)
        sums = np.bincount(inverse.reshape(-1), weights=numbers, minlength=len(distinct))
        is_entry = sums != 0
        distinct, sums = distinct[is_entry], sums[is_entry]
        return cls(compact_indices(distinct), compact_values(sums))

    @property
    def n_features(self) -> int:
        """The number of features that the vector has at least: its largest index + 1."""
        return int(self.indices[-1]) + 1 if len(self.indices) else 0

    @property
    def nbytes(self) -> int:
        """The size of the entries in bytes."""
        return self.indices.nbytes + (0 if self.values is None else self.values.nbytes)

    def tobytes(self) -> bytes:
        """Return the entries as bytes, equal for equal rows."""
        return self.indices.astype(np.int32).tobytes() + self._get_values().tobytes()

    @classmethod
    def frombytes(cls, data: bytes) -> SparseRow:
        """Return the row that `tobytes` has converted."""
        n_entries = len(data) // 8
        indices = np.frombuffer(data, dtype=np.int32, count=n_entries)
        return cls(compact_indices(indices), compact_values(np.frombuffer(data, np.float32, offset=4 * n_entries)))

    def tolist(self) -> list[list[float]]:
        """Return the entries as `[index, value]`."""
        return [[index, value] for index, value in zip(self.indices.tolist(), self._get_values().tolist(), strict=True)]

    def _get_values(self) -> NDArray[np.float32]:
        if self.values is None:
            return np.ones(len(self.indices), dtype=np.float32)
        return self.values.astype(np.float32)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseRow) and self.tobytes() == other.tobytes()

    def __hash__(self) -> int:
        return hash(self.tobytes())

    def __str__(self) -> str:
        """Return entries as text, as `parse_sparse_row` reads them: `2:3 7`."""
        return " ".join(str(int(i)) if value == 1 else f"{int(i)}:{value:.9g}" for i, value in self.tolist())

    def __repr__(self) -> str:
        return f"SparseRow({str(self)!r})"


def compact_indices(indices: NDArray[Any]) -> Indices:
    """Return sorted indices as uint16 if they fit, otherwise as int32."""
    return indices.astype(np.uint16 if not len(indices) or indices[-1] < 2**16 else np.int32)


def compact_values(values: NDArray[Any]) -> NDArray[Any] | None:
    """Return values that are not 0 as None if all are 1, as uint8 if all are counts up to 255, else as float32."""
    if (values == 1).all():
        return None
    is_count = (values == np.floor(values)).all() and values.min() >= 0 and values.max() <= 255
    return values.astype(np.uint8 if is_count else np.float32)


def is_sparse_matrix(value: object) -> bool:
    """Return whether a value is a sparse matrix or array of SciPy, which is not imported for this."""
    return hasattr(value, "tocsr")


def split_sparse_matrix(matrix: Any) -> list[SparseRow]:
    """Return the rows of a sparse matrix of SciPy, `(rows, features)`.

    Raises:
        MtlError: If a value is not finite.
    """
    rows = matrix.tocsr().copy() if matrix.ndim == 2 else matrix.reshape(1, -1).tocsr()
    rows.sum_duplicates()
    rows.eliminate_zeros()
    if not np.isfinite(rows.data).all():
        raise MtlError("a sparse matrix contains a number that is not finite")
    indices = rows.indices.astype(np.uint16 if rows.shape[1] <= 2**16 else np.int32)
    values = compact_values(rows.data)
    bounds = rows.indptr.tolist()
    return [
        SparseRow(indices[start:stop], None if values is None else values[start:stop])
        for start, stop in pairwise(bounds)
    ]


def parse_sparse_row(value: object) -> SparseRow:
    """Return an input as a sparse row.

    Args:
        value: A `SparseRow`; a text of indices from 0, each with an optional value, `12 57:2.5`; a list of pairs
            `[index, value]`; a row of a sparse matrix of SciPy; or a dense vector (an array of one dimension).

    Raises:
        MtlError: If the value is none of these, or an entry is invalid.

    Example:
        >>> parse_sparse_row("7 2:3")
        SparseRow('2:3 7')
    """
    if isinstance(value, SparseRow):
        return value
    if isinstance(value, str):
        return _parse_text(value)
    if is_sparse_matrix(value):
        rows = split_sparse_matrix(value)
        if len(rows) != 1:
            raise MtlError(f"expected one row of a sparse matrix, found {len(rows)}")
        return rows[0]
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "biuf":
        positions = np.flatnonzero(value)
        return SparseRow.from_entries(positions, value[positions].astype(np.float64))
    if isinstance(value, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        return _parse_pairs(value)
    raise MtlError(
        "expected a sparse vector: a text of indices and values such as '12 57:2.5', pairs [index, value], a row of a "
        f"SciPy matrix or an array of one dimension, found {format_cell(value)}"
    )


def _parse_text(text: str) -> SparseRow:
    indices: list[int] = []
    values: list[float] = []
    for entry in text.split():
        index, _, value = entry.partition(":")
        try:
            indices.append(_parse_index(index))
            values.append(float(value) if _ else 1.0)
        except ValueError as error:
            raise MtlError(f"expected an index, or an index and a value such as 57:2.5, found '{entry}'") from error
    return SparseRow.from_entries(np.array(indices, dtype=np.int64), values)


def _parse_index(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_INDEX)):
        raise ValueError(text)
    return int(text)


def _parse_pairs(pairs: Sequence[Sequence[object]]) -> SparseRow:
    for index, value in pairs:
        if isinstance(index, bool) or not isinstance(index, int) or not isinstance(value, int | float):
            raise MtlError(f"expected pairs of an index and a number, found {format_cell([index, value])}")
    return SparseRow.from_entries(np.array([pair[0] for pair in pairs], dtype=np.int64), [pair[1] for pair in pairs])
