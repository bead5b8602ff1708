"""Inputs to predict: texts, lines of text, JSON Lines."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mtl_core.errors import MtlError


@dataclass(frozen=True)
class PredictionInput:
    """One input to predict.

    Attributes:
        id: The id of the input.
        text: The input as text.
        location: The location of the input, for messages.
    """

    id: str
    text: str
    location: str


def parse_texts(texts: Iterable[str]) -> Iterator[PredictionInput]:
    """Build one input per text, numbered from 1."""
    for number, text in enumerate(texts, start=1):
        yield PredictionInput(str(number), text, f"text {number}")


def parse_text_lines(lines: Iterable[str], name: str) -> Iterator[PredictionInput]:
    """Read one text per line, and skip empty lines."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield PredictionInput(str(number), line.strip(), f"{name}:{number}")


def parse_json_lines(lines: Iterable[str], name: str) -> Iterator[PredictionInput]:
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
        yield PredictionInput(str(record.get("id", number)), record["text"], f"{name}:{number}")
