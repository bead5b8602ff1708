"""Asking a saved run about new inputs, as a stream."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.corpus import Corpus
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import run_network
from mtl_core.runs.results import prediction_records
from mtl_core.runs.saved import SavedRun, device_of
from mtl_core.training.batches import Examples

CHUNK = 4096
"""Inputs that are held in memory at a time; enough for batches of one length."""


@dataclass(frozen=True)
class Question:
    """One input to predict for."""

    id: str
    text: str
    origin: str


def questions_from_texts(texts: Iterable[str]) -> Iterator[Question]:
    """Number texts from 1."""
    for number, text in enumerate(texts, start=1):
        yield Question(str(number), text, f"text {number}")


def questions_from_lines(lines: Iterable[str], name: str) -> Iterator[Question]:
    """Read a text a line; empty lines are passed over."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield Question(str(number), line.strip(), f"{name}:{number}")


def questions_from_json_lines(lines: Iterable[str], name: str) -> Iterator[Question]:
    """Read JSON objects with a `text` and, if it is there, an `id`.

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


def predict(saved: SavedRun, questions: Iterable[Question], attention: bool = False) -> Iterator[dict[str, Any]]:
    """Predict for a stream of texts in constant memory, in their order.

    Args:
        saved: The run.
        questions: What to predict for.
        attention: Whether tokens and attention weights are told.

    Yields:
        A record an input, as in `predictions.jsonl`.

    Raises:
        MtlError: If the run's loader does not read texts, or an input is not one.
    """
    stream = iter(questions)
    while chunk := list(islice(stream, CHUNK)):
        inputs = []
        for question in chunk:
            try:
                question.text.encode()
                inputs.append(saved.config.data.from_text(question.text))
            except UnicodeEncodeError as error:
                raise MtlError(f"{question.origin}: not UTF-8 text: {error}") from error
            except MtlError as error:
                raise MtlError(f"{question.origin}: {error}") from error
        corpus = Corpus(
            ids=[str(place) for place in range(len(chunk))],
            inputs=inputs,
            labels={},
            parts=["test"] * len(chunk),
            groups=range(len(chunk)),
        )
        for question, record in zip(chunk, predict_corpus(saved, corpus, attention), strict=True):
            yield {**record, "id": question.id, "text": question.text}


def predict_corpus(saved: SavedRun, corpus: Corpus, attention: bool = False) -> Iterator[dict[str, Any]]:
    """Predict for the examples of a corpus."""
    parsed = saved.encoder.parse(corpus.inputs)
    examples = Examples(saved.encoder, saved.encoder.encode(parsed), [])
    rows = np.arange(len(corpus), dtype=np.int64)
    outputs = run_network(saved.network, examples, rows, device_of(saved.network), keep_attention=attention)
    if attention:
        return prediction_records(corpus, range(len(corpus)), saved.groups, outputs, saved.encoder, parsed)
    return prediction_records(corpus, range(len(corpus)), saved.groups, outputs)


def predict_file(saved: SavedRun, path: Path, attention: bool = False) -> Iterator[dict[str, Any]]:
    """Predict for a file: `.txt` (a text a line), `.jsonl`, or the format of the run's own loader.

    Raises:
        MtlError: If the file is missing or malformed.
    """
    if not path.is_file():
        raise MtlError(f"{path}: {'is a folder, expected a file' if path.is_dir() else 'no such file'}")
    suffix = path.suffix.lower()
    if suffix in {".txt", ".jsonl"}:
        read = questions_from_lines if suffix == ".txt" else questions_from_json_lines
        try:
            with path.open(encoding="utf-8-sig") as lines:
                yield from predict(saved, read(lines, str(path)), attention)
        except UnicodeDecodeError as error:
            raise MtlError(f"{path}: not UTF-8: {error}") from error
        return
    yield from predict_corpus(saved, saved.config.data.load_file(path, saved.columns), attention)
