"""The columns of a table that patterns and ranges in its keys select."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mtl_core.config.name_patterns import expand_range, is_pattern, suggest_names
from mtl_core.errors import MtlError, join_names

if TYPE_CHECKING:
    from mtl_core.builtins.loaders.table import Table
    from mtl_core.builtins.loaders.tables.table_file import TableFile

MAX_NAMES = 5
"""The number of columns that a message lists."""


def needs_columns(entries: Iterable[str]) -> bool:
    """Return whether entries depend on the columns of the training file: a name can look like a pattern, too."""
    return any(map(is_pattern, entries))


def select_columns(table: Table, file: TableFile) -> Table:
    """Return a table whose keys `numbers`, `labels` and `ignore` contain names only.

    A column that an entry names exactly belongs to its key. A pattern in `numbers` selects only columns that no other
    key names; a pattern in `labels` only columns without another use, and inputs among these are an error.

    Args:
        table: The table as declared.
        file: Its training file.

    Raises:
        MtlError: If a pattern matches no column, or a pattern in `labels` matches an input.
    """
    if not any(needs_columns(entries) or _has_ranges(entries) for entries in _list_entries(table)):
        return table
    columns, location = file.list_columns(), file.header_location
    row_columns = {name for name in (table.id, table.split) if name is not None}
    row_columns |= {*table.metadata, *table.weights.values()}
    named_labels = {name for entry in table.labels or () for name in _list_names(entry, columns)}
    named_inputs = {name for entry in table.numbers or () for name in _list_names(entry, columns)}
    named_inputs |= set() if table.numbers else set(table.input_names)
    used = row_columns | named_labels | named_inputs
    ignored = _expand(table.ignore, columns, used, f"{location}: `ignore`")
    numbers = None
    if table.numbers is not None:
        excluded = row_columns | named_labels | set(ignored)
        numbers = _expand(table.numbers, columns, excluded, f"{location}: `numbers`")
    labels = None
    if table.labels is not None:
        excluded = row_columns | set(ignored)
        labels = _expand(table.labels, columns, excluded, f"{location}: `labels`")
        _check_no_inputs(table.labels, labels, set(numbers or table.input_names), f"{location}: `labels`")
    return table.model_copy(update={"numbers": numbers, "labels": labels, "ignore": ignored})


def _list_entries(table: Table) -> list[list[str]]:
    return [table.numbers or [], table.labels or [], table.ignore]


def _has_ranges(entries: Iterable[str]) -> bool:
    return any(expand_range(entry) != [entry] for entry in entries)


def _list_names(entry: str, columns: Collection[str]) -> list[str]:
    """Return the names that an entry contains itself; none for a pattern."""
    if entry in columns:
        return [entry]
    return [] if is_pattern(entry) else expand_range(entry)


def _expand(entries: Sequence[str], columns: Sequence[str], excluded: Collection[str], location: str) -> list[str]:
    """Return the columns of entries, each once. Names that are no column are returned, too.

    Args:
        entries: Names, ranges and patterns.
        columns: All columns.
        excluded: Columns that patterns do not match.
        location: The location and the key, for messages.

    Raises:
        MtlError: If a pattern matches no column.
    """
    known = frozenset(columns)
    candidates = [name for name in columns if name and name not in excluded]
    selected: dict[str, None] = {}
    for entry in entries:
        names = _list_names(entry, known)
        if not names:
            names = [name for name in candidates if fnmatchcase(name, entry)]
        if not names:
            other_uses = [name for name in columns if name in excluded and fnmatchcase(name, entry)]
            hint = f"; columns with another use: {join_names(other_uses, MAX_NAMES)}" if other_uses else ""
            raise MtlError(
                f"{location}: no column matches '{entry}'{hint or suggest_names(entry, columns)} "
                f"(columns: {join_names(columns)})"
            )
        selected.update(dict.fromkeys(names))
    return list(selected)


def _check_no_inputs(entries: Sequence[str], labels: Sequence[str], inputs: Collection[str], location: str) -> None:
    """Raise an error if an input column is a label."""
    shared = [name for name in labels if name in inputs]
    if shared:
        entry = next(entry for entry in entries if entry == shared[0] or fnmatchcase(shared[0], entry))
        noun = "the input column" if len(shared) == 1 else f"{len(shared)} input columns:"
        raise MtlError(
            f"{location}: '{entry}' matches {noun} {join_names(shared, MAX_NAMES)}; an input is no label, so narrow "
            "the pattern; without `labels`, all columns without another use are labels"
        )
