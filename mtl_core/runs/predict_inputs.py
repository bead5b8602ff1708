"""Predictions of a saved run for a stream of new inputs."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.batches import Examples
from mtl_core.data.corpus import Corpus
from mtl_core.data.parsing import transform_located
from mtl_core.data.task_labels import get_task_labels
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import BatchOutputs, run_network
from mtl_core.nn.device import get_device
from mtl_core.plugins.specs import LoaderSpec
from mtl_core.runs.predicted_masks import MaskWriter, compute_chunk_size
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_collector import PredictionCollector
from mtl_core.runs.prediction_inputs import PredictionInput, convert_input, parse_json_lines, parse_text_lines
from mtl_core.runs.saved_run import SavedRun, list_label_columns

CHUNK_SIZE = 4096
"""Number of inputs in memory at a time; enough for batches of similar length."""


def iterate_predictions(
    saved_run: SavedRun,
    prediction_inputs: Iterable[PredictionInput],
    attention: bool = False,
    data_set: str | None = None,
) -> Iterator[Prediction]:
    """Predict a stream of texts in constant memory, in order.

    Args:
        saved_run: The run.
        prediction_inputs: The inputs.
        attention: Whether to include tokens and attention weights.
        data_set: Name of the data set whose loader reads the texts; the first one by default.

    Yields:
        One prediction per input.

    Raises:
        MtlError: If the loader of the run does not read such inputs, or an input is invalid.
    """
    stream = iter(prediction_inputs)
    loader = saved_run.get_loader(data_set)
    chunk_size = compute_chunk_size(CHUNK_SIZE, saved_run.groups, saved_run.encoder.image_size)
    while chunk := list(islice(stream, chunk_size)):
        inputs = [convert_input(loader, prediction_input) for prediction_input in chunk]
        predictions, parsed = _predict(saved_run, inputs, [one.location for one in chunk], attention)
        for index, (prediction_input, value) in enumerate(zip(chunk, inputs, strict=True)):
            display_value = value if isinstance(value, Mapping) else prediction_input.text
            yield predictions.pop_prediction(index, prediction_input.id, display_value, parsed[index])


def predict(
    saved_run: SavedRun,
    prediction_inputs: Iterable[PredictionInput],
    attention: bool = False,
    data_set: str | None = None,
    mask_writer: MaskWriter | None = None,
) -> Iterator[dict[str, Any]]:
    """Predict a stream of texts in constant memory, in order; arguments as in `iterate_predictions` and `predict_file`.

    Yields:
        One record per input as in `predictions.jsonl`, without tasks that predict the absent label.

    Raises:
        MtlError: If the loader of the run does not read texts, or an input is not valid text.
    """
    for prediction in iterate_predictions(saved_run, prediction_inputs, attention, data_set):
        if mask_writer is not None:
            prediction = mask_writer.write(prediction)
        yield prediction.to_record(only_present=True)


def predict_batch(saved_run: SavedRun, inputs: Sequence[object], attention: bool = False) -> Iterator[Prediction]:
    """Predict inputs that a loader has converted, in order; they are numbered from 1.

    Args:
        saved_run: The run.
        inputs: The inputs, as `LoaderSpec.from_row` or `from_text` returns them.
        attention: Whether to include tokens and attention weights.

    Yields:
        One prediction per input.
    """
    for start in range(0, len(inputs), CHUNK_SIZE):
        chunk = inputs[start : start + CHUNK_SIZE]
        locations = [f"row {start + index}" for index in range(len(chunk))]
        predictions, parsed = _predict(saved_run, chunk, locations, attention)
        for index, value in enumerate(chunk):
            yield predictions.pop_prediction(index, str(start + index + 1), value, parsed[index])


@dataclass(frozen=True)
class ChunkOutputs:
    """The outputs of the network for some inputs.

    Attributes:
        parsed: The parsed inputs.
        items: The encoded inputs.
        batches: The outputs per batch, computed when they are read; rows are indices of the inputs.
    """

    parsed: Sequence[Any]
    items: Sequence[Any]
    batches: Iterator[BatchOutputs]


def compute_chunk_outputs(saved_run: SavedRun, inputs: Sequence[object], locations: Sequence[str]) -> ChunkOutputs:
    """Parse and encode inputs, and compute the outputs of the network for them.

    Args:
        saved_run: The run.
        inputs: The inputs, as `LoaderSpec.from_row` or `from_text` returns them.
        locations: The location of each input, for messages.

    Raises:
        MtlError: If an input is invalid.
    """
    parsed = transform_located(saved_run.encoder.parse, inputs, locations)
    items = transform_located(saved_run.encoder.encode, parsed, locations)
    lengths = np.array([saved_run.encoder.length(item) for item in items], dtype=np.int64)
    examples = Examples(saved_run.encoder, items, lengths, [])
    row_indices = np.arange(len(items), dtype=np.int64)
    batches = run_network(
        saved_run.network, examples, row_indices, get_device(saved_run.network), saved_run.predicted_groups
    )
    return ChunkOutputs(parsed, items, batches)


def _predict(
    saved_run: SavedRun, inputs: Sequence[object], locations: Sequence[str], attention: bool
) -> tuple[PredictionCollector, Sequence[Any]]:
    """Compute the predictions for inputs; return the parsed inputs, too."""
    outputs = compute_chunk_outputs(saved_run, inputs, locations)
    predictions = PredictionCollector(
        saved_run.groups, saved_run.predicted_groups, saved_run.encoder, outputs.items, attention
    )
    for batch_outputs in outputs.batches:
        predictions.add(batch_outputs)
    return predictions, outputs.parsed


def predict_corpus(
    saved_run: SavedRun,
    corpus: Corpus,
    attention: bool = False,
    data_set: str | None = None,
    mask_writer: MaskWriter | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one record per example of a corpus, with gold labels of the data set's tasks; computed in chunks."""
    tasks = saved_run.get_tasks(data_set)
    labels = {task.name: get_task_labels(task.config, corpus) for task in tasks if task.config.column}
    chunk_size = compute_chunk_size(CHUNK_SIZE, saved_run.groups, saved_run.encoder.image_size)
    for start in range(0, len(corpus), chunk_size):
        stop = min(start + chunk_size, len(corpus))
        inputs = [corpus.inputs[row] for row in range(start, stop)]
        locations = [corpus.locations[row] for row in range(start, stop)]
        predictions, parsed = _predict(saved_run, inputs, locations, attention)
        for index, row in enumerate(range(start, stop)):
            gold = predictions.get_gold_labels(row, labels, parsed[index])
            prediction = predictions.pop_prediction(index, corpus.ids[row], inputs[index], parsed[index])
            if mask_writer is not None:
                prediction = mask_writer.write(prediction)
            yield prediction.to_record(only_present=True, gold=gold)


def predict_file(
    saved_run: SavedRun,
    path: Path,
    attention: bool = False,
    data_set: str | None = None,
    mask_writer: MaskWriter | None = None,
    report_warning: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Predict a file: `.txt` (one text per line), `.jsonl` (texts), or the format of the loader of the run.

    Args:
        saved_run: The run.
        path: The file.
        attention: Whether to include tokens and attention weights.
        data_set: Name of the data set whose loader reads the file; the first one by default.
        mask_writer: Writes predicted masks; None to leave them out.
        report_warning: Called with each warning of the loader about rows that it left out.

    Yields:
        One record per input as in `predictions.jsonl`.

    Raises:
        MtlError: If the file is missing or malformed.
    """
    with open_text_inputs(saved_run, path, data_set) as inputs:
        if inputs is not None:
            yield from predict(saved_run, inputs, attention, data_set, mask_writer)
            return
    corpus = load_labelled_file(saved_run, path, data_set)
    if report_warning is not None:
        for warning in corpus.omissions:
            report_warning(warning)
    yield from predict_corpus(saved_run, corpus, attention, data_set, mask_writer)


@contextmanager
def open_text_inputs(
    saved_run: SavedRun, path: Path, data_set: str | None
) -> Iterator[Iterable[PredictionInput] | None]:
    """Open a file of texts, `.txt` or `.jsonl`; None for a file that the loader of the run reads.

    Raises:
        MtlError: If the file is missing or malformed.
    """
    if not path.is_file():
        raise MtlError(f"{path}: {'is a folder, expected a file' if path.is_dir() else 'no such file'}")
    suffix = path.suffix.lower()
    if suffix != ".txt" and (suffix != ".jsonl" or _is_table(saved_run.get_loader(data_set), path)):
        yield None
        return
    parse = parse_text_lines if suffix == ".txt" else parse_json_lines
    try:
        with path.open(encoding="utf-8-sig") as lines:
            yield parse(lines, str(path))
    except UnicodeDecodeError as error:
        raise MtlError(f"{path}: not UTF-8: {error}") from error


def load_labelled_file(saved_run: SavedRun, path: Path, data_set: str | None) -> Corpus:
    """Load a file in the format of the loader of a run, with the labels that it has.

    Raises:
        MtlError: If the file is malformed.
    """
    return saved_run.get_loader(data_set).load_file(path, list_label_columns(saved_run.get_tasks(data_set)))


def _is_table(loader: LoaderSpec, path: Path) -> bool:
    """Return whether the loader reads a `.jsonl` file: if it can, and the first object has no `text`."""
    if loader.input_types:
        return True
    if not loader.reads_json_lines:
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "")
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(record, dict) and isinstance(record.get("text"), str))
