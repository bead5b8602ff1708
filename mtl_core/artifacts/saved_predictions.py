"""The predictions of a run, read from any of the formats that a run can write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.json_files import read_json_lines, wrap_parse_errors
from mtl_core.artifacts.parquet_predictions import read_parquet
from mtl_core.artifacts.prediction_arrays import GroupArrays, PredictionArrays
from mtl_core.artifacts.safetensors_predictions import read_safetensors
from mtl_core.errors import MtlError, did_you_mean, join_names


@dataclass(frozen=True)
class TaskPredictions:
    """The predictions of one task, in the order of the examples.

    Attributes:
        task: The name of the task.
        classes: The classes, in the order of `probabilities`; empty for numbers and for labels per token.
        labels: `(examples,)`: the predicted labels: texts, numbers (float), or lists of them.
        probabilities: `(examples, classes)`, float32; None for tasks without classes.
        gold: `(examples,)`: the true labels in the same form; None where a label is missing.
    """

    task: str
    classes: Sequence[str]
    labels: NDArray[Any]
    probabilities: NDArray[np.float32] | None
    gold: NDArray[Any]


class SavedPredictions(Mapping[str, TaskPredictions]):
    """The predictions of all tasks for the examples of one split, by task.

    Args:
        split: The name of the split.
        ids: The id of each example.
        tasks: Task name to predictions.

    Example:
        >>> import numpy as np
        >>> labels = np.array(["sport", "music"], dtype=object)
        >>> topic = TaskPredictions("topic", ["music", "sport"], labels, None, np.array(["sport", None], dtype=object))
        >>> predictions = SavedPredictions("test", ["a", "b"], {"topic": topic})
        >>> list(predictions["topic"].labels)
        ['sport', 'music']
    """

    def __init__(self, split: str, ids: Sequence[str], tasks: Mapping[str, TaskPredictions]) -> None:
        self.split = split
        self.ids = list(ids)
        self._tasks = tasks

    def __getitem__(self, task: str) -> TaskPredictions:
        """Return the predictions of a task.

        Raises:
            MtlError: If there is no such task; the message contains the nearest name.
        """
        if task not in self._tasks:
            raise MtlError(
                f"predictions: there is no task '{task}'{did_you_mean(str(task), self._tasks)} "
                f"(tasks: {join_names(self._tasks)})"
            )
        return self._tasks[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def __repr__(self) -> str:
        return f"SavedPredictions({self.split!r}, {len(self.ids)} examples, tasks: {join_names(self._tasks, 5)})"


def read_predictions(path: Path | str) -> SavedPredictions:
    """Read a file of predictions of a run or of `mtl predict`: `.jsonl`, `.safetensors` or `.parquet`.

    Args:
        path: The file.

    Raises:
        MtlError: If the file cannot be read, is damaged, or is a Parquet file and pyarrow is not installed.

    Example:
        >>> import json, pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "predictions.jsonl"
        >>> entry = {"label": "yes", "probabilities": {"no": 0.25, "yes": 0.75}, "gold": "yes"}
        >>> _ = file.write_text(json.dumps({"id": "a", "tasks": {"toxic": entry}}))
        >>> read_predictions(file)["toxic"].probabilities.tolist()
        [[0.25, 0.75]]
    """
    path = Path(path)
    if path.suffix == ".jsonl":
        return _read_json_lines(path)
    predictions = read_prediction_arrays(path)
    tasks = {task: _select_task(group, index) for group in predictions.groups for index, task in enumerate(group.tasks)}
    return SavedPredictions(predictions.split, predictions.ids, tasks)


def read_prediction_arrays(path: Path) -> PredictionArrays:
    """Read a `.safetensors` or `.parquet` file of predictions as arrays per head group.

    Raises:
        MtlError: If the file is damaged, or is a Parquet file and pyarrow is not installed.
    """
    return read_parquet(path) if path.suffix == ".parquet" else read_safetensors(path)


def read_example_ids(path: Path) -> list[str]:
    """Read the id of each example from a file of predictions of any format.

    Raises:
        MtlError: If the file cannot be read or is damaged.
    """
    if path.suffix != ".jsonl":
        return list(read_prediction_arrays(path).ids)
    with wrap_parse_errors(path):
        return [record["id"] for record in read_json_lines(path)]


def _select_task(group: GroupArrays, index: int) -> TaskPredictions:
    names = [*group.classes[index], *group.other_labels[index]]
    probabilities = None if group.probabilities is None else group.probabilities[:, index]
    labels = _name_labels(group.labels[:, index], names)
    missing = np.full(len(labels), None, dtype=object)
    gold = missing if group.gold is None else _name_labels(group.gold[:, index], names)
    return TaskPredictions(group.tasks[index], list(group.classes[index]), labels, probabilities, gold)


def _name_labels(labels: NDArray[Any], names: Sequence[str]) -> NDArray[Any]:
    """Convert codes, indicators or numbers to labels as in `predictions.jsonl`; None for missing labels."""
    named = np.full(len(labels), None, dtype=object)
    if labels.dtype.kind == "f":
        is_known = ~np.isnan(labels).reshape(len(labels), -1).all(axis=1)
        for row in np.flatnonzero(is_known):
            named[row] = labels[row].tolist()
    elif labels.ndim == 2:
        for row in np.flatnonzero((labels >= 0).all(axis=1)):
            named[row] = [names[code] for code in np.flatnonzero(labels[row]).tolist()]
    else:
        is_known = labels >= 0
        named[is_known] = np.array([*names, None], dtype=object)[labels[is_known]]
    return named


def _read_json_lines(path: Path) -> SavedPredictions:
    ids, split = [], ""
    entries: dict[str, list[Mapping[str, Any]]] = {}
    with wrap_parse_errors(path):
        for record in read_json_lines(path):
            ids.append(str(record["id"]))
            split = str(record.get("split", ""))
            for task, entry in record["tasks"].items():
                entries.setdefault(task, []).append(entry)
        tasks = {task: _build_task(task, task_entries) for task, task_entries in entries.items()}
    return SavedPredictions(split, ids, tasks)


def _build_task(task: str, entries: Sequence[Mapping[str, Any]]) -> TaskPredictions:
    labels, gold = (np.full(len(entries), None, dtype=object) for _ in range(2))
    for row, entry in enumerate(entries):
        labels[row], gold[row] = entry["label"], entry.get("gold")
    classes = list(entries[0]["probabilities"])
    has_probabilities = classes and all(list(entry["probabilities"]) == classes for entry in entries)
    probabilities = None
    if has_probabilities:
        rows = [list(entry["probabilities"].values()) for entry in entries]
        probabilities = np.array(rows, dtype=np.float32)
    return TaskPredictions(task, classes if has_probabilities else [], labels, probabilities, gold)
