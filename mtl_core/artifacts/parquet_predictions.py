"""Predictions as `predictions.parquet`: one row per example, a few columns per task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.prediction_arrays import MISSING_CODE, GroupArrays, LabelForm, PredictionArrays
from mtl_core.artifacts.prediction_layout import LAYOUT_KEY, build_group, dump_layout, load_layout, repeat_names
from mtl_core.atomic import write_atomically
from mtl_core.errors import MtlError, find_duplicates

COMPRESSION = "zstd"


def write_parquet(path: Path, predictions: PredictionArrays) -> None:
    """Write predictions; atomically. Columns are named as in `Predictions.to_frame`, true labels `gold.TASK`.

    Raises:
        MtlError: If pyarrow is not installed, or two columns have the same name.
    """
    pyarrow = _import_pyarrow(path)
    from pyarrow import parquet

    columns = [("id", pyarrow.array(list(predictions.ids), pyarrow.string()))]
    for group in predictions.groups:
        for index in range(len(group.tasks)):
            columns += _build_columns(pyarrow, group, index)
    names = [name for name, _ in columns]
    if duplicates := find_duplicates(names):
        raise MtlError(
            f"{path}: the column '{duplicates[0]}' would occur twice (labels are TASK, probabilities TASK.CLASS, true "
            "labels gold.TASK, and ids `id`); write .safetensors, or rename the task"
        )
    metadata = {LAYOUT_KEY: dump_layout(predictions)}
    table = pyarrow.table([column for _, column in columns], names=names).replace_schema_metadata(metadata)
    write_atomically(path, lambda temporary: parquet.write_table(table, temporary, compression=COMPRESSION))


def read_parquet(path: Path) -> PredictionArrays:
    """Read predictions.

    Raises:
        MtlError: If pyarrow is not installed, or the file is damaged.
    """
    pyarrow = _import_pyarrow(path)
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        layout = load_layout((table.schema.metadata or {})[LAYOUT_KEY.encode()].decode())
        columns = dict(zip(table.column_names, table.columns, strict=True))
        groups = [_read_group(entry, columns) for entry in layout["groups"]]
        return PredictionArrays(layout["split"], columns["id"].to_pylist(), groups, layout["samples"])
    except (pyarrow.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise MtlError(f"{path}: damaged: {type(error).__name__}: {error}") from error


def _import_pyarrow(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MtlError(f'{path}: Parquet files need pyarrow: pip install "mtl-core[parquet]"') from error
    return pyarrow


def _build_columns(pyarrow: Any, group: GroupArrays, index: int) -> Iterator[tuple[str, Any]]:
    """Yield the name and the values of each column of a task: labels, probabilities, true labels."""
    task, classes = group.tasks[index], group.classes[index]
    names = [*classes, *group.other_labels[index]]
    yield task, _build_labels(pyarrow, group.labels[:, index], names)
    if group.probabilities is not None:
        for code in _list_stored_codes(group.form, len(classes)):
            yield f"{task}.{classes[code]}", pyarrow.array(group.probabilities[:, index, code])
    if group.gold is not None:
        yield f"gold.{task}", _build_labels(pyarrow, group.gold[:, index], names)


def _list_stored_codes(form: LabelForm, n_classes: int) -> range:
    """Return the classes whose probabilities have a column: of two exclusive ones, only the second."""
    return range(1 if form == "class" and n_classes == 2 else 0, n_classes)


def _build_labels(pyarrow: Any, labels: NDArray[Any], names: Sequence[str]) -> Any:
    if labels.dtype.kind == "f" and labels.ndim == 1:
        return pyarrow.array(labels, from_pandas=True)  # NaN is null
    if labels.dtype.kind == "f":
        rows = [None if np.isnan(row).all() else row.tolist() for row in labels]
        return pyarrow.array(rows, pyarrow.list_(pyarrow.float32()))
    if labels.ndim == 2:
        lists = [None if (row < 0).any() else [names[code] for code in np.flatnonzero(row).tolist()] for row in labels]
        return pyarrow.array(lists, pyarrow.list_(pyarrow.string()))
    codes = pyarrow.array(labels.astype(np.int32), mask=labels == MISSING_CODE)
    return pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(list(names), pyarrow.string()))


def _read_group(entry: Mapping[str, Any], columns: Mapping[str, Any]) -> GroupArrays:
    """Read the columns of the tasks of a group."""
    form, tasks = entry["form"], entry["tasks"]
    classes, others = (repeat_names(entry[key], len(tasks)) for key in ("classes", "other_labels"))
    names = [[*class_names, *other_names] for class_names, other_names in zip(classes, others, strict=True)]
    arrays = {"labels": _stack([_parse_labels(columns[task], form, names[i]) for i, task in enumerate(tasks)])}
    if form == "classes":
        arrays["labels"] = arrays["labels"].astype(np.bool_)
    if any(f"gold.{task}" in columns for task in tasks):
        gold = [_parse_labels(columns[f"gold.{task}"], form, names[index]) for index, task in enumerate(tasks)]
        arrays["gold"] = _stack(gold)
    if form != "numbers":
        codes = _list_stored_codes(form, len(classes[0]))
        tables = [
            np.stack([columns[f"{task}.{class_names[code]}"].to_numpy() for code in codes], axis=1)
            for task, class_names in zip(tasks, classes, strict=True)
        ]
        arrays["probabilities"] = _stack(tables) if len(codes) > 1 else _stack(tables)[:, :, 0]
    return build_group(entry, arrays)


def _stack(tables: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.stack(tables, axis=1)


def _parse_labels(column: Any, form: LabelForm, names: Sequence[str]) -> NDArray[Any]:
    """Read a column of labels: codes, indicators (-1 for a missing list) or numbers (NaN for a missing one)."""
    values = column.to_pylist()
    if form == "class":
        codes = {name: code for code, name in enumerate(names)}
        return np.array([MISSING_CODE if value is None else codes[value] for value in values], dtype=np.int32)
    if form == "classes":
        return np.array(
            [
                [MISSING_CODE] * len(names) if value is None else [int(name in value) for name in names]
                for value in values
            ],
            dtype=np.int8,
        ).reshape(len(values), len(names))
    width = next((len(value) for value in values if isinstance(value, list)), 0)
    missing: Any = [np.nan] * width if width else np.nan
    return np.array([missing if value is None else value for value in values], dtype=np.float32)
