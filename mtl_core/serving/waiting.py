"""The queue of texts. Requests are served round-robin, so that a long one does not delay short ones."""

import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic

from mtl_core.errors import MtlError
from mtl_core.serving.tickets import Job, Ticket


class NoRoomError(Exception):
    """The queue has no space for the texts."""


class Waiting:
    """The queue of texts.

    Args:
        room: Maximum texts in the queue.
        batch_size: Maximum texts per batch.
        batch_wait: Maximum seconds that the first text of a batch waits for more texts.
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
        """Return the number of texts in the queue; cancelled texts count until they are dequeued."""
        return self._texts

    def put(self, ticket: Ticket, patient: bool = False) -> None:
        """Add a request to the queue.

        Args:
            ticket: The request.
            patient: Whether to ignore the limit, for streams that add one batch at a time.

        Raises:
            NoRoomError: If the queue is full.
            MtlError: If the queue is closed.
        """
        with self._changed:
            if self._closed:
                raise MtlError("the server is stopping")
            if not patient and self._texts + len(ticket.questions) > self._room:
                raise NoRoomError(f"{self._texts} texts in the queue")
            jobs = (Job(ticket, place) for place in range(len(ticket.questions)))
            self._turns.append((ticket, jobs))
            self._texts += len(ticket.questions)
            self._changed.notify()

    def close(self) -> None:
        """Close the queue: it accepts no more requests, and its texts are still processed."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @property
    def closed(self) -> bool:
        """Whether the queue is closed."""
        return self._closed

    def take(self) -> list[Job]:
        """Wait for the next batch, round-robin over requests, and return it; empty when the queue is closed."""
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
