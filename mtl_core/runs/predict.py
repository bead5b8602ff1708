"""Predictions of a saved run for a stream of new inputs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.corpus import Corpus
from mtl_core.data.tasks import task_labels
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import run_network
from mtl_core.runs.answers import Answer
from mtl_core.runs.predictions import Predictions
from mtl_core.runs.saved import SavedRun, device_of, label_columns_of
from mtl_core.specs import LoaderSpec
from mtl_core.training.batches import Examples

CHUNK = 4096
"""Number of inputs in memory at a time; enough for batches of similar length."""


@dataclass(frozen=True)
class Question:
    """One input to predict.

    Attributes:
        id: The id of the input.
        text: The input as text.
        origin: The location of the input, for messages.
    """

    id: str
    text: str
    origin: str


def questions_from_texts(texts: Iterable[str]) -> Iterator[Question]:
    """Build one input per text, numbered from 1."""
    for number, text in enumerate(texts, start=1):
        yield Question(str(number), text, f"text {number}")


def questions_from_lines(lines: Iterable[str], name: str) -> Iterator[Question]:
    """Read one text per line, and skip empty lines."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Question(str(number), line.strip(), f"{name}:{number}")


def questions_from_json_lines(lines: Iterable[str], name: str) -> Iterator[Question]:
    """Read JSON objects with a `text` and an optional `id`.

    Raises:
        MtlError: If a line is not such an object.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise MtlError(f"{name}:{number}: not valid JSON: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise MtlError(f'{name}:{number}: expected an object with a "text", found {line.strip()[:60]}')
        yield Question(str(record.get("id", number)), record["text"], f"{name}:{number}")


def answers(
    saved: SavedRun, questions: Iterable[Question], attention: bool = False, data_set: str | None = None
) -> Iterator[Answer]:
    """Predict a stream of texts in constant memory, in order.

    Args:
        saved: The run.
        questions: The inputs.
        attention: Whether to include tokens and attention weights.
        data_set: Name of the data set whose loader reads the texts; the first one by default.

    Yields:
        One prediction per input.

    Raises:
        MtlError: If the loader of the run does not read texts, or an input is not valid text.
    """
    stream = iter(questions)
    loader = saved.loader(data_set)
    while chunk := list(islice(stream, CHUNK)):
        inputs = []
        for question in chunk:
            try:
                question.text.encode()
                inputs.append(loader.from_text(question.text))
            except UnicodeEncodeError as error:
                raise MtlError(f"{question.origin}: not UTF-8 text: {error}") from error
            except MtlError as error:
                raise MtlError(f"{question.origin}: {error}") from error
        parsed = saved.encoder.parse(inputs)
        predictions = _asked(saved, parsed, attention)
        for place, question in enumerate(chunk):
            yield predictions.answer(place, question.id, question.text, parsed[place])


def predict(
    saved: SavedRun, questions: Iterable[Question], attention: bool = False, data_set: str | None = None
) -> Iterator[dict[str, Any]]:
    """Predict a stream of texts in constant memory, in order; arguments as in `answers`.

    Yields:
        One record per input as in `predictions.jsonl`, without tasks that predict the absent label.

    Raises:
        MtlError: If the loader of the run does not read texts, or an input is not valid text.
    """
    for answer in answers(saved, questions, attention, data_set):
        yield answer.record(only_found=True)


def _asked(saved: SavedRun, parsed: Sequence[Any], attention: bool) -> Predictions:
    """Compute the predictions for parsed inputs."""
    items = saved.encoder.encode(parsed)
    lengths = np.array([saved.encoder.length(item) for item in items], dtype=np.int64)
    predictions = Predictions(saved.groups, saved.answered, saved.encoder, items, attention)
    examples = Examples(saved.encoder, items, lengths, [])
    places = np.arange(len(items), dtype=np.int64)
    for said in run_network(saved.network, examples, places, device_of(saved.network), saved.answered):
        predictions.add(said)
    return predictions


def predict_corpus(
    saved: SavedRun, corpus: Corpus, attention: bool = False, data_set: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one record per example of a corpus, with gold labels of the data set's tasks; computed in chunks."""
    tasks = saved.tasks_of(data_set)
    labels = {task.name: task_labels(task.declared, corpus) for task in tasks if task.declared.column}
    for start in range(0, len(corpus), CHUNK):
        stop = min(start + CHUNK, len(corpus))
        parsed = saved.encoder.parse([corpus.inputs[row] for row in range(start, stop)])
        predictions = _asked(saved, parsed, attention)
        for place, row in enumerate(range(start, stop)):
            gold = predictions.gold(row, labels, parsed[place])
            answer = predictions.answer(place, corpus.ids[row], corpus.text(row), parsed[place])
            yield answer.record(only_found=True, gold=gold)


def predict_file(
    saved: SavedRun, path: Path, attention: bool = False, data_set: str | None = None
) -> Iterator[dict[str, Any]]:
    """Predict a file: `.txt` (one text per line), `.jsonl` (texts), or the format of the loader of the run.

    Args:
        saved: The run.
        path: The file.
        attention: Whether to include tokens and attention weights.
        data_set: Name of the data set whose loader reads the file; the first one by default.

    Yields:
        One record per input as in `predictions.jsonl`.

    Raises:
        MtlError: If the file is missing or malformed.
    """
    if not path.is_file():
        raise MtlError(f"{path}: {'is a folder, expected a file' if path.is_dir() else 'no such file'}")
    suffix = path.suffix.lower()
    if suffix == ".txt" or (suffix == ".jsonl" and not _is_table(saved.loader(data_set), path)):
        read = questions_from_lines if suffix == ".txt" else questions_from_json_lines
        try:
            with path.open(encoding="utf-8-sig") as lines:
                yield from predict(saved, read(lines, str(path)), attention, data_set)
        except UnicodeDecodeError as error:
            raise MtlError(f"{path}: not UTF-8: {error}") from error
        return
    corpus = saved.loader(data_set).load_file(path, label_columns_of(saved.tasks_of(data_set)))
    yield from predict_corpus(saved, corpus, attention, data_set)


def _is_table(loader: LoaderSpec, path: Path) -> bool:
    """Return whether the loader reads a `.jsonl` file: if it can, and the first object has no `text`."""
    if not loader.reads_json_lines:
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "")
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(record, dict) and isinstance(record.get("text"), str))
