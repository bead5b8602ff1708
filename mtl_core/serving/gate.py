"""Middleware: limits the body size, measures the latency, catches errors and sets headers."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from uuid import uuid4

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders

from mtl_core.serving.limits import Limits
from mtl_core.serving.meters import Meters
from mtl_core.serving.problems import Problem

LOG = logging.getLogger("mtl_core.serving")
OTHER = "other"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": POLICY,
}


class TooLargeError(HTTPException):
    """A body that exceeds the size limit. FastAPI re-raises it, since it is an HTTPException."""

    def __init__(self, found: str, limit: int) -> None:
        super().__init__(413)
        self.problem = Problem(413, "body", found, f"at most {limit:,} bytes", {"Connection": "close"})


class Gate:
    """ASGI middleware of all requests.

    Args:
        app: The application.
        meters: The Prometheus metrics that record each request.
        limits: The size limits of bodies. A larger body is refused while it is received.
        uploads: The prefixes of paths that accept files.
    """

    def __init__(self, app: Any, meters: Meters, limits: Limits, uploads: Sequence[str]) -> None:
        self._app = app
        self._meters = meters
        self._limits = limits
        self._uploads = tuple(uploads)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Process one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 0

        async def sending(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._passed(scope, receive, sending)
        except Exception as error:
            if status:
                raise
            await failed(error).response()(scope, receive, sending)
        finally:
            route = scope.get("route")
            self._meters.request(getattr(route, "path", OTHER), status, perf_counter() - start)

    async def _passed(self, scope: Any, receive: Any, send: Any) -> None:
        limit = self._limits.max_upload if scope["path"].startswith(self._uploads) else self._limits.max_bytes
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit:
            problem = TooLargeError(f"{int(declared[:20]):,} bytes", limit).problem
            await problem.response()(scope, receive, send)
            return
        got = 0

        async def receiving() -> Any:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > limit:
                raise TooLargeError(f"more than {limit:,} bytes", limit)
            return message

        await self._app(scope, receiving, send)


def failed(error: Exception) -> Problem:
    """Log an internal error, and return the error of the response with the id of the log entry."""
    name = uuid4().hex[:12]
    LOG.error("failure %s", name, exc_info=error)
    return Problem(500, "server", "an internal error", "a response; the log has this id", more={"id": name})
