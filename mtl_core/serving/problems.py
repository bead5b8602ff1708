"""What is wrong with a request, said in one form."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response

WHERE_LIMIT = 200


class Problem(Exception):  # noqa: N818  (it is what is told, not only what is raised)
    """Something that a client is told instead of an answer.

    Args:
        status: The HTTP status.
        where: The place: `body.text`, `path`, …
        found: What was there.
        expected: What should be.
        headers: Further headers of the response.
        more: Further keys beside the three.
    """

    def __init__(
        self,
        status: int,
        where: str,
        found: str,
        expected: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{where}: found {found}, expected {expected}")
        self.status = status
        self.headers = dict(headers or {})
        self.error = {"where": where[:WHERE_LIMIT], "found": found, "expected": expected, **(more or {})}

    def response(self) -> Response:
        """Lay it out as JSON."""
        return json_response({"error": self.error}, self.status, self.headers)


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON, as UTF-8.

    Raises:
        ValueError: If a number is none.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, "application/json")


def shown(value: object, limit: int = 60) -> str:
    """What stood in a request, short enough for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, bytes):
        return "no JSON"
    # Numbers first: a number of a million digits is not to be written out.
    text = f"{value:g}" if isinstance(value, float) else "a number" if _is_long(value) else json.dumps(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _is_long(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > 200
