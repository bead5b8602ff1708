"""Predictions of a saved run for new inputs as arrays, for `mtl predict --output FILE.safetensors` or `.parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.prediction_arrays import MISSING_CODE, GroupArrays, PredictionArrays
from mtl_core.data.column_operations import convert_to_categorical
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.label_space import flatten_label
from mtl_core.data.number_space import parse_numbers
from mtl_core.data.task_labels import get_task_labels
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.runs.array_collector import ArrayCollector
from mtl_core.runs.predict_inputs import CHUNK_SIZE, compute_chunk_outputs, load_labelled_file, open_text_inputs
from mtl_core.runs.prediction_format import describe_array_obstacle
from mtl_core.runs.prediction_inputs import PredictionInput, convert_input
from mtl_core.runs.saved_run import SavedRun


def check_arrays(saved_run: SavedRun, path: Path) -> None:
    """Check that the predictions of a run can be written as arrays.

    Raises:
        MtlError: If they cannot.
    """
    if obstacle := describe_array_obstacle(saved_run.groups):
        raise MtlError(f"{path}: a file of this format {obstacle}; write .jsonl")


def predict_arrays(
    saved_run: SavedRun, prediction_inputs: Iterable[PredictionInput], data_set: str | None = None
) -> PredictionArrays:
    """Predict a stream of texts; the predictions of all of them are held in memory, the inputs are not.

    Args:
        saved_run: The run.
        prediction_inputs: The inputs.
        data_set: Name of the data set whose loader reads the texts; the first one by default.

    Raises:
        MtlError: If the loader of the run does not read such inputs, or an input is invalid.
    """
    loader, collector = saved_run.get_loader(data_set), ArrayCollector(saved_run.groups)
    stream, ids = iter(prediction_inputs), list[str]()
    while chunk := list(islice(stream, CHUNK_SIZE)):
        inputs = [convert_input(loader, prediction_input) for prediction_input in chunk]
        _add(collector, saved_run, inputs, [one.location for one in chunk], len(ids))
        ids += [one.id for one in chunk]
    return collector.build("", ids, np.arange(len(ids)))


def predict_file_arrays(saved_run: SavedRun, path: Path, data_set: str | None = None) -> PredictionArrays:
    """Predict a file: `.txt` (one text per line), `.jsonl` (texts), or the format of the loader of the run.

    Args:
        saved_run: The run.
        path: The file; labels in it become true labels.
        data_set: Name of the data set whose loader reads the file; the first one by default.

    Raises:
        MtlError: If the file is missing or malformed.
    """
    with open_text_inputs(saved_run, path, data_set) as inputs:
        if inputs is not None:
            return predict_arrays(saved_run, inputs, data_set)
    corpus = load_labelled_file(saved_run, path, data_set)
    collector = ArrayCollector(saved_run.groups)
    for start in range(0, len(corpus), CHUNK_SIZE):
        rows = range(start, min(start + CHUNK_SIZE, len(corpus)))
        _add(collector, saved_run, [corpus.inputs[row] for row in rows], [corpus.locations[row] for row in rows], start)
    predictions = collector.build("", list(corpus.ids), np.arange(len(corpus)))
    labels = {
        task.name: get_task_labels(task.config, corpus) for task in saved_run.get_tasks(data_set) if task.config.column
    }
    return replace(predictions, groups=[_add_gold(group, labels, corpus) for group in predictions.groups])


def _add(
    collector: ArrayCollector, saved_run: SavedRun, inputs: Sequence[object], locations: Sequence[str], offset: int
) -> None:
    for batch_outputs in compute_chunk_outputs(saved_run, inputs, locations).batches:
        collector.update(replace(batch_outputs, rows=batch_outputs.rows + offset))


def _add_gold(group: GroupArrays, labels: Mapping[str, Sequence[Label | None]], corpus: Corpus) -> GroupArrays:
    """Add the true labels of a file; a label that training never saw is added to the other labels of its task."""
    if not any(label is not None for task in group.tasks for label in labels.get(task, ())):
        return group
    missing: list[None] = [None] * len(corpus)
    columns: list[NDArray[Any]] = []
    others: list[list[str]] = []
    for index, task in enumerate(group.tasks):
        column, names = labels.get(task, missing), [*group.classes[index], *group.other_labels[index]]
        if group.form == "class":
            codes = {name: code for code, name in enumerate(names)}
            columns.append(_encode_classes(column, codes))
            others.append(list(codes)[len(group.classes[index]) :])
            continue
        others.append(list(group.other_labels[index]))
        if group.form == "classes":
            columns.append(_encode_lists(column, group.classes[index], task, corpus))
        else:
            columns.append(_encode_numbers(column, group.labels[:, index], corpus))
    return replace(group, other_labels=others, gold=np.stack(columns, axis=1))


def _encode_classes(column: Sequence[Label | None], codes: dict[str, int]) -> NDArray[np.int64]:
    def encode(value: Any) -> int:
        return MISSING_CODE if value is None else codes.setdefault(str(value), len(codes))

    categorical = convert_to_categorical(column)
    if categorical is None:
        return np.array([encode(value) for value in column], dtype=np.int64)
    lookup = np.array([encode(value) for value in categorical.values], dtype=np.int64)
    encoded: NDArray[np.int64] = lookup[categorical.codes]
    return encoded


def _encode_lists(
    column: Sequence[Label | None], classes: Sequence[str], task: str, corpus: Corpus
) -> NDArray[np.int8]:
    table = np.full((len(column), len(classes)), MISSING_CODE, dtype=np.int8)
    codes = {name: code for code, name in enumerate(classes)}
    for row, label in enumerate(column):
        if label is None:
            continue
        table[row] = 0
        for member in flatten_label(label):
            if str(member) not in codes:
                raise MtlError(
                    f"{corpus.locations[row]}: task '{task}': the label '{member}' is none of its classes"
                    f"{did_you_mean(str(member), codes)} (classes: {join_names(codes)}); write .jsonl"
                )
            table[row, codes[str(member)]] = 1
    return table


def _encode_numbers(column: Sequence[Label | None], labels: NDArray[Any], corpus: Corpus) -> NDArray[np.float32]:
    table = np.full(labels.shape, np.nan, dtype=np.float32)
    for row, label in enumerate(column):
        if label is not None:
            numbers = parse_numbers(label, corpus.locations, row)
            table[row] = numbers if labels.ndim == 2 else numbers[0]
    return table
