"""Errors of requests: `ApiError`, its JSON format, and the handlers that convert other exceptions into it."""

import json
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.serving.request_queue import QueueFullError
from mtl_core.serving.schemas import OBJECT_TAG, STRING_TAG
from mtl_core.serving.served_run import ServedRun

MAX_LOCATION_LENGTH = 200
EXPECTED_BY_ERROR_TYPE = {
    "missing": "a value",
    "string_type": "a string",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "too_short": "at least one",
    "model_type": "a JSON object",
    "dict_type": "a JSON object",
    "model_attributes_type": "a JSON object",
}
"""Maps pydantic error types to the expected value in the message."""


class ApiError(Exception):
    """An error that is sent to the client as the response.

    Args:
        status: The HTTP status.
        location: The location of the error: `body.text`, `path`, …
        actual: The invalid value.
        expected: The expected value.
        headers: Additional headers of the response.
        extra: Additional keys of the error object.
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


class BodyTooLargeError(HTTPException):
    """A body that exceeds the size limit. FastAPI re-raises it, since it is an HTTPException."""

    def __init__(self, size: str, limit: int) -> None:
        super().__init__(413)
        self.api_error = ApiError(413, "body", size, f"at most {limit:,} bytes", {"Connection": "close"})


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


def add_exception_handlers(app: FastAPI, served_run: ServedRun) -> None:
    """Add the exception handlers to the application."""

    @app.exception_handler(ApiError)
    async def handle_api_error(request: Request, error: ApiError) -> Response:
        return error.to_response()

    @app.exception_handler(MtlError)
    async def handle_mtl_error(request: Request, error: MtlError) -> Response:
        return convert_mtl_error(error, "body").to_response()

    @app.exception_handler(RequestValidationError)
    async def handle_validation_error(request: Request, error: RequestValidationError) -> Response:
        return _convert_validation_error(error.errors()[0]).to_response()

    @app.exception_handler(HTTPException)
    async def handle_http_exception(request: Request, error: HTTPException) -> Response:
        return _convert_http_exception(error, request, app).to_response()

    @app.exception_handler(QueueFullError)
    async def handle_queue_full(request: Request, error: QueueFullError) -> Response:
        seconds = str(max(1, math.ceil(served_run.worker.estimate_wait_seconds())))
        expected = f"a shorter queue: try again in {seconds} s"
        return ApiError(503, "server", str(error), expected, {"Retry-After": seconds}).to_response()

    @app.exception_handler(TimeoutError)
    async def handle_timeout(request: Request, error: TimeoutError) -> Response:
        return ApiError(
            504, "server", "no response", f"a response within {served_run.limits.timeout:g} s"
        ).to_response()


def convert_mtl_error(error: Exception, location: str) -> ApiError:
    """Convert an `MtlError` of a request; its message contains the found and the expected value."""
    message = str(error).removeprefix(f"{location}: ")
    return ApiError(422, location, message, "what this run can read")


def _convert_validation_error(line: dict[str, Any]) -> ApiError:
    """Convert the first validation error of a body or a query."""
    loc = tuple(step for step in line["loc"] if step not in {OBJECT_TAG, STRING_TAG})
    error_type = line["type"]
    if error_type == "json_invalid":
        return ApiError(400, "body", f"invalid JSON: {line['ctx']['error']} (character {loc[1]})", "a JSON object")
    if error_type == "unknown_key":
        actual = f"unknown key '{loc[-1]}'"
        return ApiError(422, _format_location(loc), actual, str(line["msg"]).removeprefix(actual).strip("; "))
    actual = "nothing" if error_type == "missing" else truncate_value(line["input"])
    expected = EXPECTED_BY_ERROR_TYPE.get(error_type) or str(line["msg"]).removeprefix("Input should be ")
    if isinstance(line["input"], bytes):
        expected += ", and the header `Content-Type: application/json`"
    elif OBJECT_TAG in line["loc"] and len(loc) == 3:
        expected = "a string, or an object with a `text`"
    return ApiError(422, _format_location(loc), actual, expected)


def _format_location(loc: tuple[Any, ...]) -> str:
    """Format a location: `body.texts[3].text`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")


def _convert_http_exception(error: HTTPException, request: Request, app: FastAPI) -> ApiError:
    """Convert an error of the web framework: unknown paths, wrong methods, unreadable bodies."""
    if isinstance(error, BodyTooLargeError):
        return error.api_error
    path, headers = request.url.path, dict(error.headers or {})
    if error.status_code == 404:
        known_paths = list_paths(app)
        expected = f"one of {join_names(known_paths)}{did_you_mean(path, known_paths)}"
        return ApiError(404, "path", truncate_value(path), expected, headers)
    if error.status_code == 405:
        allowed = headers.get("Allow", "another method")
        return ApiError(405, "method", f"{request.method} {path}"[:120], allowed, headers)
    if error.status_code == 400:
        return ApiError(400, "body", "something that cannot be read", "a JSON object", headers)
    return ApiError(error.status_code, "request", str(error.detail), "something else", headers)


def list_paths(app: FastAPI) -> list[str]:
    """Return the paths of the API and the pages."""
    return ["/", "/docs", "/openapi.json", *app.openapi()["paths"]]
