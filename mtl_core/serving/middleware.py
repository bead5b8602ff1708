"""Middleware: limits the body size, measures the latency, catches errors and sets headers."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders

from mtl_core.serving.errors import ApiError, BodyTooLargeError
from mtl_core.serving.limits import Limits
from mtl_core.serving.monitoring import ServerMetrics

LOG = logging.getLogger("mtl_core.serving")
UNKNOWN_PATH = "other"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
}


class RequestMiddleware:
    """ASGI middleware of all requests.

    Args:
        app: The application.
        server_metrics: The Prometheus metrics that record each request.
        limits: The size limits of bodies. A larger body is refused while it is received.
        upload_prefixes: The prefixes of paths that accept files.
    """

    def __init__(self, app: Any, server_metrics: ServerMetrics, limits: Limits, upload_prefixes: Sequence[str]) -> None:
        self._app = app
        self._server_metrics = server_metrics
        self._limits = limits
        self._upload_prefixes = tuple(upload_prefixes)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Process one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 0

        async def send_with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._forward(scope, receive, send_with_headers)
        except Exception as error:
            if status:
                raise
            await log_internal_error(error).to_response()(scope, receive, send_with_headers)
        finally:
            route = scope.get("route")
            self._server_metrics.record_request(getattr(route, "path", UNKNOWN_PATH), status, perf_counter() - start)

    async def _forward(self, scope: Any, receive: Any, send: Any) -> None:
        limit = self._limits.max_upload if scope["path"].startswith(self._upload_prefixes) else self._limits.max_bytes
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit:
            api_error = BodyTooLargeError(f"{int(declared[:20]):,} bytes", limit).api_error
            await api_error.to_response()(scope, receive, send)
            return
        n_bytes = 0

        async def receive_limited() -> Any:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > limit:
                raise BodyTooLargeError(f"more than {limit:,} bytes", limit)
            return message

        await self._app(scope, receive_limited, send)


def log_internal_error(error: Exception) -> ApiError:
    """Log an internal error, and return the error of the response with the id of the log entry."""
    error_id = uuid4().hex[:12]
    LOG.error("failure %s", error_id, exc_info=error)
    return ApiError(500, "server", "an internal error", "a response; the log has this id", extra={"id": error_id})
