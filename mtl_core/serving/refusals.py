"""Exception handlers: convert exceptions into error responses."""

import math
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.serving.gate import TooLargeError
from mtl_core.serving.messages import OBJECT, STRING
from mtl_core.serving.problems import Problem, shown
from mtl_core.serving.served import Served
from mtl_core.serving.waiting import NoRoomError

EXPECTED = {
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


def add_refusals(app: FastAPI, served: Served) -> None:
    """Add the exception handlers to the application."""

    @app.exception_handler(Problem)
    async def told(request: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(MtlError)
    async def wrong(request: Request, error: MtlError) -> Response:
        return mistake(error, "body").response()

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return _first(error.errors()[0]).response()

    @app.exception_handler(HTTPException)
    async def not_served(request: Request, error: HTTPException) -> Response:
        return _http(error, request, app).response()

    @app.exception_handler(NoRoomError)
    async def no_room(request: Request, error: NoRoomError) -> Response:
        seconds = str(max(1, math.ceil(served.worker.wait_seconds())))
        expected = f"a shorter queue: try again in {seconds} s"
        return Problem(503, "server", str(error), expected, {"Retry-After": seconds}).response()

    @app.exception_handler(TimeoutError)
    async def too_late(request: Request, error: TimeoutError) -> Response:
        return Problem(504, "server", "no response", f"a response within {served.limits.timeout:g} s").response()


def mistake(error: Exception, where: str) -> Problem:
    """Convert an `MtlError` of a request; its message contains the found and the expected value."""
    message = str(error).removeprefix(f"{where}: ")
    return Problem(422, where, message, "what this run can read")


def _first(line: dict[str, Any]) -> Problem:
    """Convert the first validation error of a body or a query."""
    loc = tuple(step for step in line["loc"] if step not in {OBJECT, STRING})
    kind = line["type"]
    if kind == "json_invalid":
        return Problem(400, "body", f"invalid JSON: {line['ctx']['error']} (character {loc[1]})", "a JSON object")
    if kind == "unknown_key":
        found = f"unknown key '{loc[-1]}'"
        return Problem(422, _place(loc), found, str(line["msg"]).removeprefix(found).strip("; "))
    found = "nothing" if kind == "missing" else shown(line["input"])
    expected = EXPECTED.get(kind) or str(line["msg"]).removeprefix("Input should be ")
    if isinstance(line["input"], bytes):
        expected += ", and the header `Content-Type: application/json`"
    elif OBJECT in line["loc"] and len(loc) == 3:
        expected = "a string, or an object with a `text`"
    return Problem(422, _place(loc), found, expected)


def _place(loc: tuple[Any, ...]) -> str:
    """Format a location: `body.texts[3].text`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")


def _http(error: HTTPException, request: Request, app: FastAPI) -> Problem:
    """Convert an error of the web framework: unknown paths, wrong methods, unreadable bodies."""
    if isinstance(error, TooLargeError):
        return error.problem
    path, headers = request.url.path, dict(error.headers or {})
    if error.status_code == 404:
        known = paths(app)
        expected = f"one of {listed(known)}{did_you_mean(path, known)}"
        return Problem(404, "path", shown(path), expected, headers)
    if error.status_code == 405:
        allowed = headers.get("Allow", "another method")
        return Problem(405, "method", f"{request.method} {path}"[:120], allowed, headers)
    if error.status_code == 400:
        return Problem(400, "body", "something that cannot be read", "a JSON object", headers)
    return Problem(error.status_code, "request", str(error.detail), "something else", headers)


def paths(app: FastAPI) -> list[str]:
    """Return the paths of the API and the pages."""
    return ["/", "/docs", "/openapi.json", *app.openapi()["paths"]]
