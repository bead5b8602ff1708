"""Whether a client still waits."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from mtl_core.serving.problems import Problem

Result = TypeVar("Result")
GONE = 499
"""The status that is counted for clients that went away, as nginx does; nobody sees it."""


async def while_present(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Do something for as long as the client is there; cancel it when the connection is closed.

    Args:
        request: The request; its body has been read.
        work: What is done.

    Raises:
        Problem: If the client went away first.
    """
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Problem(GONE, "client", "a closed connection", "somebody who waits")
    finally:
        watching.cancel()
        working.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
