"""What routes are given, the core's own and those that plugins add: a run, and the way to ask it."""

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
    """A run that is being served.

    One thread owns the network. Routes never call it themselves: they ask here, and wait.

    Attributes:
        path: The run directory.
        saved: The run: its config, its tasks. Its network is the worker's.
        limits: What a request may bring; a body that is too large is refused before a route sees it.
        worker: Answers.
        frame: Puts pages together: `frame.page(title, content)`.
    """

    path: Path
    saved: SavedRun
    limits: Limits
    worker: Worker
    frame: Frame

    async def ask(
        self, questions: Sequence[Question], attention: bool = False, data_set: str | None = None
    ) -> list[Said]:
        """Ask about some texts, from a route that is a coroutine.

        Args:
            questions: The texts; `origin` says in messages where each stands. Not more than `limits.max_texts`.
            attention: Whether tokens and attention weights are told.
            data_set: The data set as whose texts they are read; the first if left out.

        Returns:
            For each its answer; or what went wrong with it: an `MtlError` that the sender can mend, or another.

        Raises:
            NoRoomError: If too much waits already.
            TimeoutError: If it took longer than `limits.timeout`. What has not begun by then is dropped, as it is
                when the calling task is cancelled.
        """
        ticket = Ticket(questions, attention, data_set)
        self.worker.take(ticket)
        return await asyncio.wait_for(asyncio.wrap_future(ticket.future), self.limits.timeout)

    def answers(
        self, questions: Iterable[Question], attention: bool = False, data_set: str | None = None
    ) -> Iterator[Answer]:
        """Answer a stream of any length in constant memory, in its order, from a route that runs in a thread.

        It does the same as `mtl_core.runs.predict.answers`. Texts go to the network a batch at a time, and requests
        of others are answered between them. It waits until there is room, and for as long as it takes.

        Raises:
            MtlError: If a text is none, or the server is stopping.
        """
        stream = iter(questions)
        while lot := list(islice(stream, self.limits.batch_size)):
            ticket = Ticket(lot, attention, data_set)
            self.worker.take(ticket, patient=True)
            for said in ticket.future.result():
                if isinstance(said, Exception):
                    raise said
                yield said
