"""Errors of requests, in one JSON format."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response

MAX_LOCATION_LENGTH = 200


class ApiError(Exception):
    """An error that is sent to the client as the response.

    Args:
        status: The HTTP status.
        where: The location of the error: `body.text`, `path`, …
        found: The invalid value.
        expected: The expected value.
        headers: Additional headers of the response.
        more: Additional keys of the error object.
    """

    def __init__(
        self,
        status: int,
        location: str,
        actual: str,
        expected: str,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{location}: found {actual}, expected {expected}")
        self.status = status
        self.headers = dict(headers or {})
        self.error = {
            "location": location[:MAX_LOCATION_LENGTH],
            "actual": actual,
            "expected": expected,
            **(extra or {}),
        }

    def to_response(self) -> Response:
        """Build the JSON response."""
        return json_response({"error": self.error}, self.status, self.headers)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build a JSON response in UTF-8.

    Raises:
        ValueError: If a number is NaN or infinite.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json")


def truncate_value(value: object, limit: int = 60) -> str:
    """Format a value of a request, truncated for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, bytes):
        return "invalid JSON"
    # Numbers first, to avoid formatting a number with a million digits.
    text = f"{value:g}" if isinstance(value, float) else "a number" if _is_long(value) else json.dumps(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _is_long(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > 200
