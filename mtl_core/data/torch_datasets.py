"""Rows from a `torch.utils.data.Dataset`."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtl_core.data.python_tables import convert_cell
from mtl_core.errors import MtlError, join_names


def read_dataset(dataset: Any, columns: Sequence[str], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Read all items of a data set as rows.

    Args:
        dataset: Its items are dicts by column, or pairs of an input and its labels.
        columns: The input columns.
        labels: The label columns.

    Raises:
        MtlError: If it is no data set with a length, or an item is neither a dict nor a pair.
    """
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise MtlError(
            f"expected a torch Dataset with __getitem__ and __len__, found {type(dataset).__name__}; "
            "`mtl.Data.from_frame` reads tables"
        )
    return [_read_item(dataset[index], index, columns, labels) for index in range(len(dataset))]


def _read_item(item: Any, index: int, columns: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    if isinstance(item, Mapping):
        return {name: convert_cell(value) for name, value in item.items()}
    if not isinstance(item, tuple | list) or len(item) != 2 or len(columns) != 1:
        raise MtlError(
            f"item {index} of the data set: expected a dict by column, or a pair of one input and its labels, found a "
            f"{type(item).__name__}; inputs: {join_names(columns)}"
        )
    value, targets = item
    if isinstance(targets, Mapping):
        cells = dict(targets)
    elif len(labels) == 1:
        cells = {labels[0]: targets}
    else:
        if not hasattr(targets, "__len__") or len(targets) != len(labels):
            raise MtlError(f"item {index} of the data set: expected {len(labels)} labels ({join_names(labels)})")
        cells = dict(zip(labels, targets, strict=True))
    return {columns[0]: convert_cell(value), **{name: convert_cell(cell) for name, cell in cells.items()}}
