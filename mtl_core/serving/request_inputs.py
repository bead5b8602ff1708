"""The text or the row of a request, and its validation."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.serving.errors import ApiError
from mtl_core.serving.limits import Limits
from mtl_core.serving.served_run import ServedRun

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class RequestInput:
    """An input of a request.

    Attributes:
        text: The text; empty for a row.
        row: The row of cells by column; None for a text.
        location: The location of the input in the request.
        input_types: The type of each column that the network reads.
    """

    text: str
    row: Mapping[str, Any] | None
    location: str
    input_types: Mapping[str, str]


def get_input_types(served_run: ServedRun, data_set: str | None) -> Mapping[str, str]:
    """Return the type of each input column of a data set; empty if its inputs are no rows."""
    return served_run.saved.get_loader(data_set).input_types


def validate_input(
    item: RequestInput, raw_id: str | int | None, number: int, limits: Limits
) -> PredictionInput | ApiError:
    """Convert an input of a request into an input of a prediction, or return its validation error.

    Args:
        item: The input.
        raw_id: The id in the request.
        number: The number of the input, which is its id if the request has none.
        limits: The limits of the server.
    """
    input_id = str(number) if raw_id is None else str(raw_id)
    texts = [item.text] if item.row is None else list(_iterate_texts(item.row))
    for location, text in ((f"{item.location} (its id)", input_id), *((item.location, text) for text in texts)):
        if surrogate := _SURROGATE.search(text):
            description = f"an unpaired surrogate, U+{ord(surrogate[0]):X}, at {surrogate.start()}"
            return ApiError(422, location, description, "valid Unicode, in which UTF-16 surrogates are paired")
    if item.row is not None:
        return _validate_row(item, item.row, limits) or PredictionInput(input_id, "", item.location, item.row)
    if len(item.text) > limits.max_text_length:
        return ApiError(422, item.location, f"{len(item.text):,} characters", f"at most {limits.max_text_length:,}")
    if not item.text.strip():
        return ApiError(422, item.location, "an empty text", "at least one word")
    return PredictionInput(input_id, item.text, item.location)


def _validate_row(item: RequestInput, row: Mapping[str, Any], limits: Limits) -> ApiError | None:
    """Return the error of a row with a cell that is too long; images are limited by the size of the body only."""
    for name, cell in row.items():
        is_long = isinstance(cell, str | list) and len(cell) > limits.max_text_length
        if is_long and item.input_types.get(name) != "image":
            noun = "characters" if isinstance(cell, str) else "members"
            actual, expected = f"{len(cell):,} {noun}", f"at most {limits.max_text_length:,}"
            return ApiError(422, f"{item.location}.{name}", actual, expected)
    return None


def _iterate_texts(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield all texts in a row, including the keys of objects; without recursion, since clients choose the depth."""
    values: list[object] = [row]
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            values += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            values += value
