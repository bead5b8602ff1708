"""Exception handlers: convert exceptions into error responses."""

import math
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.serving.api_errors import ApiError, truncate_value
from mtl_core.serving.middleware import BodyTooLargeError
from mtl_core.serving.request_queue import QueueFullError
from mtl_core.serving.schemas import OBJECT_TAG, STRING_TAG
from mtl_core.serving.served_run import ServedRun

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
