"""Inputs to predict: texts, lines of text, JSON Lines."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtl_core.errors import MtlError
from mtl_core.plugins.specs import LoaderSpec


@dataclass(frozen=True)
class PredictionInput:
    """One input to predict.

    Attributes:
        id: The id of the input.
        text: The input as text; empty for a row.
        location: The location of the input, for messages.
        row: The input as a row of cells by column; None for a text.
    """

    id: str
    text: str
    location: str
    row: Mapping[str, object] | None = None

    @property
    def length(self) -> int:
        """The number of characters of the text, or of all texts of the row."""
        return len(self.text) + sum(len(cell) for cell in (self.row or {}).values() if isinstance(cell, str))


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


def get_row_columns(loader: LoaderSpec) -> Sequence[str]:
    """Return the input columns of a loader whose inputs can only be rows; none if it reads texts."""
    types = loader.input_types
    return [] if list(types.values()) == ["text"] else list(types)


def convert_input(loader: LoaderSpec, prediction_input: PredictionInput) -> object:
    """Convert an input of a prediction to the input of an encoder.

    A text that is a JSON object is a row, if the loader reads rows of several columns.

    Raises:
        MtlError: If the loader does not read such inputs, or the input is invalid. The message contains its location.
    """
    try:
        if prediction_input.row is not None:
            return loader.from_row(prediction_input.row)
        prediction_input.text.encode()
        if loader.input_types and prediction_input.text.lstrip().startswith("{"):
            return loader.from_row(_parse_object(prediction_input.text))
        return loader.from_text(prediction_input.text)
    except UnicodeEncodeError as error:
        raise MtlError(f"{prediction_input.location}: not UTF-8 text: {error}") from error
    except MtlError as error:
        raise MtlError(f"{prediction_input.location}: {error}") from error


def _parse_object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MtlError(f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise MtlError(f"expected a JSON object, found {text[:60]}")
    return value
