"""The object that all routes receive: a run, and the methods that compute its predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.runs.predict import Question
from mtl_core.serving.limits import Limits
from mtl_core.serving.tickets import Said, Ticket

if TYPE_CHECKING:
    from mtl_core.runs.answers import Answer
    from mtl_core.runs.saved import SavedRun
    from mtl_core.serving.frame import Frame
    from mtl_core.serving.worker import Worker


@dataclass(frozen=True)
class Served:
    """A run that is served.

    One thread owns the network. Routes never call the network directly: they call `ask` or `answers`.

    Attributes:
        path: The run directory.
        saved: The run: its config, its tasks. Only the worker may use its network.
        limits: The limits of requests; a body that is too large is refused before it reaches a route.
        worker: The prediction thread.
        frame: The layout of pages: `frame.page(title, content)`.
    """

    path: Path
    saved: SavedRun
    limits: Limits
    worker: Worker
    frame: Frame

    async def ask(
        self, questions: Sequence[Question], attention: bool = False, data_set: str | None = None
    ) -> list[Said]:
        """Compute the predictions of some texts, in a route that is a coroutine.

        Args:
            questions: The texts, at most `limits.max_texts`; `origin` is the location of each in messages.
            attention: Whether to return tokens and attention weights.
            data_set: The data set whose loader reads the texts; the first if left out.

        Returns:
            For each text its prediction or its exception: an `MtlError` for errors in the input, or another.

        Raises:
            NoRoomError: If the queue is full.
            TimeoutError: If it takes longer than `limits.timeout`. Texts whose prediction has not started are
                dropped, as they are when the calling task is cancelled.
        """
        ticket = Ticket(questions, attention, data_set)
        self.worker.take(ticket)
        return await asyncio.wait_for(asyncio.wrap_future(ticket.future), self.limits.timeout)

    def answers(
        self, questions: Iterable[Question], attention: bool = False, data_set: str | None = None
    ) -> Iterator[Answer]:
        """Compute the predictions of a stream of texts, in its order, in a route that runs in a thread.

        It returns the same as `mtl_core.runs.predict.answers`, in constant memory. Texts enter the queue one batch
        at a time, so that other requests are processed in between. It has no timeout and ignores the queue limit.

        Raises:
            MtlError: If a text is invalid, or the server is stopping.
        """
        stream = iter(questions)
        while lot := list(islice(stream, self.limits.batch_size)):
            ticket = Ticket(lot, attention, data_set)
            self.worker.take(ticket, patient=True)
            for said in ticket.future.result():
                if isinstance(said, Exception):
                    raise said
                yield said
