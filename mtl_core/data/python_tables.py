"""Columns from tables in memory: pandas, Polars, Arrow, Hugging Face data sets, dictionaries, lists of dictionaries.

None of these libraries is imported: a table that is handed in has imported its own.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.column_types import is_missing_cell
from mtl_core.data.sparse_row import is_sparse_matrix, split_sparse_matrix
from mtl_core.errors import MtlError, find_duplicates, join_names

Columns = dict[str, list[Any]]
"""Column name to cells; None for a missing cell."""

TABLE_TYPES = "a pandas, Polars or Arrow table, a Hugging Face Dataset, a dict of columns or a list of dicts"


def read_columns(table: Any) -> Columns:
    """Read the columns of a table. NaN, None, `pd.NA` and `NaT` become None; NumPy scalars become Python's.

    Args:
        table: A pandas, Polars or Arrow table, a Hugging Face `Dataset`, a dict of columns, or a list of dicts.

    Raises:
        MtlError: If it is none of these, has no rows, two columns have one name, or lengths differ.

    Example:
        >>> read_columns([{"text": "Good.", "rating": 4}, {"text": "Bad.", "rating": float("nan")}])
        {'text': ['Good.', 'Bad.'], 'rating': [4, None]}
    """
    columns = {name: convert_cells(cells) for name, cells in _list_columns(table)}
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        described = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        raise MtlError(f"the columns of a table have different numbers of rows: {described}")
    if not columns or not max(lengths.values()):
        raise MtlError("the table has no rows" if columns else "the table has no columns")
    return columns


def _list_columns(table: Any) -> list[tuple[str, Any]]:
    library = type(table).__module__.partition(".")[0]
    if library == "pandas" and hasattr(table, "iloc"):
        if table.ndim != 2:
            raise MtlError("expected a table, found a pandas Series; `series.to_frame()` makes it a table")
        names = _check_names(list(table.columns))
        return [(name, table.iloc[:, index]) for index, name in enumerate(names)]
    if library == "polars" and hasattr(table, "collect"):
        table = table.collect()  # a LazyFrame
    if library == "polars" and hasattr(table, "get_columns"):
        return [(column.name, column.to_list()) for column in table.get_columns()]
    if library == "pyarrow" and hasattr(table, "column_names"):
        names = _check_names(table.column_names)
        return [(name, table.column(index).to_pylist()) for index, name in enumerate(names)]
    if library == "datasets" and hasattr(table, "column_names"):
        if isinstance(table, Mapping):  # a DatasetDict
            raise MtlError(f"found a DatasetDict with the splits {join_names(table)}; hand in one of its data sets")
        return [(name, _decode_class_labels(table, name)) for name in table.column_names]
    if isinstance(table, Mapping):
        names = _check_names(list(table))
        return [(name, _check_column(name, table[name])) for name in names]
    if isinstance(table, Sequence) and not isinstance(table, str | bytes):
        return _list_record_columns(table)
    raise MtlError(f"expected {TABLE_TYPES}, found {_describe(table)}")


def _check_names(names: Sequence[Any]) -> list[str]:
    for name in names:
        if not isinstance(name, str):
            raise MtlError(
                f"a column is named {name!r}, expected a text; rename it, such as `df.columns = df.columns.astype(str)`"
            )
    if duplicates := find_duplicates(list(names)):
        raise MtlError(f"two columns are named '{duplicates[0]}'; column names must differ")
    return list(names)


def _check_column(name: str, column: Any) -> Any:
    """Return a column; the rows of a sparse matrix as a list."""
    if is_sparse_matrix(column):
        return split_sparse_matrix(column)
    if isinstance(column, str | bytes) or not (isinstance(column, Sequence) or hasattr(column, "__array__")):
        raise MtlError(f"the column '{name}': expected a list or an array, found {_describe(column)}")
    return column


def _list_record_columns(records: Sequence[Any]) -> list[tuple[str, Any]]:
    columns: dict[str, list[Any]] = {}
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise MtlError(f"row {row}: expected a dict of cells, found {_describe(record)}; expected {TABLE_TYPES}")
        for name in record:
            columns.setdefault(name, [None] * len(records))[row] = record[name]
    names = _check_names(list(columns))
    return [(name, columns[name]) for name in names]


def _decode_class_labels(dataset: Any, name: str) -> list[Any]:
    """Return a column of a Hugging Face data set, with the names of its classes; -1 is a missing label."""
    cells = list(dataset[name])
    names = getattr(dataset.features.get(name), "names", None)
    if names is None:
        return cells
    return [None if cell is None or cell < 0 else names[cell] for cell in cells]


def convert_cells(cells: Any) -> list[Any]:
    """Convert the cells of a column to Python values; see `read_columns`.

    A column of floats that are all integers except for missing cells becomes a column of integers: pandas cannot
    store a missing integer.
    """
    dtype = getattr(cells, "dtype", None)
    if hasattr(cells, "detach"):  # a tensor, without importing torch
        cells = cells.detach().cpu().numpy()
    array = _get_float_array(cells)
    if array is not None:
        return _convert_floats(array, isinstance(dtype, np.dtype))
    if isinstance(getattr(cells, "dtype", None), np.dtype) and cells.dtype.kind in "iub" and _is_flat(cells):
        return list(cells.tolist())
    return [convert_cell(cell) for cell in (cells.tolist() if _is_flat(cells) else cells)]


def _get_float_array(cells: Any) -> NDArray[np.floating[Any]] | None:
    """Return the array of a column of floats; None for any other column."""
    if not isinstance(getattr(cells, "dtype", None), np.dtype) or cells.dtype.kind != "f" or not _is_flat(cells):
        return None
    return np.asarray(cells) if cells.dtype.itemsize <= np.dtype(np.float64).itemsize else None


def _convert_floats(array: NDArray[np.floating[Any]], becomes_integer: bool) -> list[Any]:
    """Convert floats: NaN to None.

    Args:
        array: `(rows,)`.
        becomes_integer: Whether numbers that are all integers, next to missing ones, become integers.
    """
    missing = np.isnan(array)
    if not missing.any():
        return list(array.tolist())
    present = array[~missing]
    is_integer = becomes_integer and bool(np.isfinite(present).all() and (present == np.floor(present)).all())
    cells = array.astype(object)
    if is_integer:
        cells[~missing] = [int(number) for number in present.tolist()]
    cells[missing] = None
    return list(cells.tolist())


def _is_flat(cells: Any) -> bool:
    return hasattr(cells, "tolist") and getattr(cells, "ndim", 1) == 1


def convert_cell(cell: Any) -> Any:
    """Convert one cell: missing values to None, NumPy scalars to Python's, dates to ISO texts, tensors to arrays."""
    if isinstance(cell, str | bool | int):  # an empty text is no missing cell yet: `missing` decides
        return cell
    if is_missing_cell(cell):
        return None
    if isinstance(cell, np.datetime64):
        return str(cell)
    if isinstance(cell, np.generic):
        return cell.item()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if hasattr(cell, "detach"):  # a tensor
        array = cell.detach().cpu().numpy()
        return convert_cell(array[()]) if array.ndim == 0 else array
    return cell


def _describe(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
