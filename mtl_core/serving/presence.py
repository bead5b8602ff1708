"""Cancellation of the work for clients that disconnect."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from mtl_core.serving.problems import Problem

Result = TypeVar("Result")
GONE = 499
"""The status that the metrics record for clients that disconnect, as in nginx; it is never sent."""


async def while_present(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await a coroutine, and cancel it if the client disconnects.

    Args:
        request: The request; its body has been read.
        work: The coroutine.

    Returns:
        The result of the coroutine.

    Raises:
        Problem: If the client disconnects first.
    """
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Problem(GONE, "client", "a closed connection", "an open connection")
    finally:
        watching.cancel()
        working.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
