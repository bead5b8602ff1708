"""The queue before the network. Tickets take turns, so that a long one does not keep the short ones waiting."""

import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic

from mtl_core.errors import MtlError
from mtl_core.serving.tickets import Job, Ticket


class NoRoomError(Exception):
    """Too many texts wait already."""


class Waiting:
    """Texts that wait for the network.

    Args:
        room: How many may wait.
        batch_size: How many are taken at a time.
        batch_wait: Seconds that the first one waits for others, at most.
    """

    def __init__(self, room: int, batch_size: int, batch_wait: float) -> None:
        self._room = room
        self._batch_size = batch_size
        self._batch_wait = batch_wait
        self._turns: deque[tuple[Ticket, Iterator[Job]]] = deque()
        self._texts = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many texts wait; those that nobody wants any more count until their turn comes."""
        return self._texts

    def put(self, ticket: Ticket, patient: bool = False) -> None:
        """Let a ticket wait for its turn.

        Args:
            ticket: The texts.
            patient: Come in though there is no room, for those who bring one batch at a time.

        Raises:
            NoRoomError: If there is no room.
            MtlError: If the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise MtlError("the server is stopping")
            if not patient and self._texts + len(ticket.questions) > self._room:
                raise NoRoomError(f"{self._texts} texts are waiting")
            jobs = (Job(ticket, place) for place in range(len(ticket.questions)))
            self._turns.append((ticket, jobs))
            self._texts += len(ticket.questions)
            self._changed.notify()

    def close(self) -> None:
        """Let nobody in any more. What waits will still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @property
    def closed(self) -> bool:
        """Whether nobody is let in any more."""
        return self._closed

    def take(self) -> list[Job]:
        """Take the next batch, a text of each ticket in turn; wait until there is one. Empty at the end."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._texts or self._closed)
                if self._batch_wait:
                    self._gather(monotonic() + self._batch_wait)
                taken = self._next()
                if taken or (self._closed and not self._turns):
                    return taken

    def _gather(self, until: float) -> None:
        while self._texts < self._batch_size and not self._closed and (left := until - monotonic()) > 0:
            self._changed.wait(left)

    def _next(self) -> list[Job]:
        taken: list[Job] = []
        while self._turns and len(taken) < self._batch_size:
            ticket, jobs = self._turns.popleft()
            job = next(jobs, None)
            if job is None:
                continue
            if not ticket.wanted:
                self._texts -= len(ticket.questions) - job.place
                continue
            taken.append(job)
            self._texts -= 1
            self._turns.append((ticket, jobs))
        return taken
