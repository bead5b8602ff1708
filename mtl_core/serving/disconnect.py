"""Cancellation of the work for clients that disconnect."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from mtl_core.serving.errors import ApiError

Result = TypeVar("Result")
CLIENT_CLOSED_REQUEST = 499
"""The status that the metrics record for clients that disconnect, as in nginx; it is never sent."""


async def cancel_on_disconnect(request: Request, coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Await a coroutine, and cancel it if the client disconnects.

    Args:
        request: The request; its body has been read.
        coroutine: The coroutine.

    Returns:
        The result of the coroutine.

    Raises:
        ApiError: If the client disconnects first.
    """
    work_task, disconnect_task = (
        asyncio.ensure_future(coroutine),
        asyncio.ensure_future(_wait_for_disconnect(request)),
    )
    try:
        await asyncio.wait({work_task, disconnect_task}, return_when=asyncio.FIRST_COMPLETED)
        if work_task.done():
            return work_task.result()
        raise ApiError(CLIENT_CLOSED_REQUEST, "client", "a closed connection", "an open connection")
    finally:
        disconnect_task.cancel()
        work_task.cancel()


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
