"""Operations on label columns: without Python code per row for compact columns, row by row for any other sequence.

A compact column is a `CategoricalColumn` (codes and distinct values) or a `NumericColumn` (an array).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.array_rows import ArrayRows
from mtl_core.data.columns import CategoricalColumn, NumericColumn
from mtl_core.data.label_space import flatten_label, is_valid_label
from mtl_core.data.lazy_sequences import RowSubset

Rows = NDArray[np.int64]
FLOAT32_MAX = float(np.finfo(np.float32).max)


def select_rows(column: Sequence[Any], rows: Rows) -> Sequence[Any]:
    """Return some rows of a column: of a compact column or a table a copy, of any other sequence a view.

    Args:
        column: The column.
        rows: `(n,)`, int64: the indices of its rows.
    """
    if isinstance(column, CategoricalColumn):
        return CategoricalColumn(column.values, column.codes[rows])
    if isinstance(column, NumericColumn):
        return NumericColumn(column.values[rows], column.is_integer)
    if isinstance(column, ArrayRows):
        return column.select(rows)
    return RowSubset(column, rows)


def hide_rows(column: Sequence[Any], is_visible: NDArray[np.bool_]) -> Sequence[Any]:
    """Return a column in which the labels of all other rows are missing.

    Args:
        column: The column.
        is_visible: `(rows,)`, bool: which rows keep their label.
    """
    if isinstance(column, NumericColumn):
        return NumericColumn(np.where(is_visible, column.values, np.nan), column.is_integer)
    if isinstance(column, CategoricalColumn):
        values = [*column.values, None]
        dtype = np.min_scalar_type(len(values) - 1)
        return CategoricalColumn(values, np.where(is_visible, column.codes, len(values) - 1).astype(dtype))
    return [label if visible else None for label, visible in zip(column, is_visible.tolist(), strict=True)]


def concatenate_columns(columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Concatenate columns; the result is compact if all of them are and store their values in the same form.

    Args:
        columns: At least one column.
    """
    if all(isinstance(column, NumericColumn) for column in columns):
        numeric = [column for column in columns if isinstance(column, NumericColumn)]
        if len({column.is_integer for column in numeric}) == 1:
            return NumericColumn(np.concatenate([column.values for column in numeric]), numeric[0].is_integer)
    if all(isinstance(column, CategoricalColumn) for column in columns):
        return _concatenate_categorical([column for column in columns if isinstance(column, CategoricalColumn)])
    return list(chain(*columns))


def build_missing_column(n_rows: int) -> CategoricalColumn[Any]:
    """Return a column without labels."""
    return CategoricalColumn([None], np.zeros(n_rows, dtype=np.uint8))


def find_labelled(column: Sequence[Any], excluded: frozenset[str] = frozenset()) -> NDArray[np.bool_]:
    """Return which rows have a label that is not excluded, `(rows,)`, bool; see `is_valid_label`."""
    if isinstance(column, NumericColumn) and not excluded:
        return ~np.isnan(column.values)
    categorical = convert_to_categorical(column) if excluded else column
    if isinstance(categorical, CategoricalColumn):
        is_valid = np.array([is_valid_label(value, excluded) for value in categorical.values], dtype=bool)
        is_labelled: NDArray[np.bool_] = is_valid[categorical.codes]
        return is_labelled
    return np.fromiter((is_valid_label(label, excluded) for label in column), dtype=bool, count=len(column))


def convert_to_categorical(column: Sequence[Any]) -> CategoricalColumn[Any] | None:
    """Return a compact column as codes and distinct values; None for any other column."""
    if isinstance(column, CategoricalColumn):
        return column
    if not isinstance(column, NumericColumn):
        return None
    missing = np.isnan(column.values)
    # By bits: 0.0 and -0.0 are equal, but have different names as classes.
    numbers = np.where(missing, np.nan, column.values)
    bits, codes = np.unique(numbers.view(np.int64), return_inverse=True)
    values = [
        None if number != number else int(number) if column.is_integer else number
        for number in bits.view(np.float64).tolist()
    ]
    return CategoricalColumn(values, codes.reshape(-1))


def list_distinct(column: Sequence[Any]) -> Iterable[Any]:
    """Return every distinct value of a compact column that occurs, and all values of any other column."""
    categorical = convert_to_categorical(column)
    if categorical is None:
        return column
    counts = np.bincount(categorical.codes, minlength=len(categorical.values))
    return [value for value, count in zip(categorical.values, counts.tolist(), strict=True) if count]


def count_members(column: Sequence[Any]) -> Mapping[str, int]:
    """Count the names of the labels, in the order of their first rows; members of lists count one by one.

    Example:
        >>> count_members(["a", None, ["b", "a"], 1])
        {'a': 2, 'b': 1, '1': 1}
    """
    counts: dict[str, int] = {}
    categorical = convert_to_categorical(column)
    if categorical is None:
        for label in column:
            for member in () if label is None else flatten_label(label):
                counts[str(member)] = counts.get(str(member), 0) + 1
        return counts
    codes, first_rows, n_rows = np.unique(categorical.codes, return_index=True, return_counts=True)
    for index in np.argsort(first_rows).tolist():
        value = categorical.values[codes[index]]
        for member in () if value is None else flatten_label(value):
            counts[str(member)] = counts.get(str(member), 0) + int(n_rows[index])
    return counts


def convert_to_numbers(column: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return a compact column as numbers within the range of float32, `(rows,)`, float64; NaN for a missing label.

    Returns:
        None if the column is not compact, or a label is a list or no such number.
    """
    if isinstance(column, NumericColumn):
        is_valid = not (np.abs(column.values) > FLOAT32_MAX).any()
        return column.values if is_valid else None
    if not isinstance(column, CategoricalColumn):
        return None
    numbers = np.zeros(len(column.values))
    for code in np.unique(column.codes).tolist():
        value = column.values[code]
        try:
            number = float("nan") if value is None else float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if value is not None and not abs(number) <= FLOAT32_MAX:
            return None
        numbers[code] = number
    numbers_of_rows: NDArray[np.float64] = numbers[column.codes]
    return numbers_of_rows


def _concatenate_categorical(columns: Sequence[CategoricalColumn[Any]]) -> CategoricalColumn[Any]:
    """Concatenate codes; values are equal if their types and texts are, since 1, 1.0 and "1" are different labels."""
    code_by_key: dict[tuple[type, str], int] = {}
    values: list[Any] = []
    members = []
    for column in columns:
        lookup = np.zeros(len(column.values), dtype=np.int64)
        for index, value in enumerate(column.values):
            key = (type(value), value if isinstance(value, str) else repr(value))
            if key not in code_by_key:
                code_by_key[key] = len(values)
                values.append(value)
            lookup[index] = code_by_key[key]
        members.append(lookup[column.codes])
    dtype = np.min_scalar_type(max(len(values) - 1, 0))
    return CategoricalColumn(values, np.concatenate(members).astype(dtype))
