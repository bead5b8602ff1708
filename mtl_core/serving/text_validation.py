"""Validation of texts before prediction."""

import re

from mtl_core.runs.predict import PredictionInput
from mtl_core.serving.api_errors import ApiError
from mtl_core.serving.limits import Limits

_SURROGATE = re.compile("[\ud800-\udfff]")


def validate_text(
    text: str, raw_id: str | int | None, number: int, location: str, limits: Limits
) -> PredictionInput | ApiError:
    """Convert a text of a request into an input of the network, or return its validation error.

    Args:
        text: The text.
        raw_id: The id in the request.
        number: The number of the text, which is its id if the request has none.
        location: The location of the text in the request.
        limits: The limits of the server.
    """
    text_id = str(number) if raw_id is None else str(raw_id)
    if len(text) > limits.max_text_length:
        return ApiError(422, location, f"{len(text):,} characters", f"at most {limits.max_text_length:,}")
    if not text.strip():
        return ApiError(422, location, "an empty text", "at least one word")
    for item_location, value in ((f"{location} (its id)", text_id), (location, text)):
        if surrogate := _SURROGATE.search(value):
            description = f"an unpaired surrogate, U+{ord(surrogate[0]):X}, at {surrogate.start()}"
            return ApiError(422, item_location, description, "valid Unicode, in which UTF-16 surrogates are paired")
    return PredictionInput(text_id, text, location)
