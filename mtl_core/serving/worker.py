"""The thread that owns the network."""

import threading
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from mtl_core.runs.answers import Answer
from mtl_core.runs.predict import Question
from mtl_core.serving.tickets import Job, Said, Ticket
from mtl_core.serving.waiting import Waiting

Ask = Callable[[Sequence[Question], bool, str | None], Sequence[Answer]]
"""From texts, whether attention is told, and a data set to their answers."""
Watch = Callable[[int, float], None]
"""Is told the texts of a batch and the seconds that it took."""

PADDING = 256
"""Characters that a batch may be filled up with, to its longest text: beyond them, another batch is cheaper."""


class Worker:
    """One thread that answers what waits, several texts at a time.

    Args:
        ask: The network. It is called in that thread only.
        waiting: Where texts wait.
        threads: Threads that torch computes in; as many as torch likes if None.
        watch: Is told about each batch.
    """

    def __init__(self, ask: Ask, waiting: Waiting, threads: int | None, watch: Watch) -> None:
        self.waiting = waiting
        self._ask = ask
        self._threads = threads
        self._watch = watch
        self._seconds = 0.01  # a text, lately
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, answer what was taken, and end."""
        self.waiting.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def ready(self) -> bool:
        """Whether it takes questions and answers them."""
        return self._thread.is_alive() and not self.waiting.closed

    def take(self, ticket: Ticket, patient: bool = False) -> None:
        """Take texts in; see `Waiting.put`."""
        self.waiting.put(ticket, patient)

    def wait_seconds(self) -> float:
        """About how long it takes until what waits now is answered."""
        return len(self.waiting) * self._seconds

    def _work(self) -> None:
        if self._threads is not None:
            import torch

            torch.set_num_threads(self._threads)
        while jobs := self.waiting.take():
            for lot in alike(jobs):
                start = perf_counter()
                for job, said in zip(lot, self._answer(lot), strict=True):
                    job.ticket.tell(job.place, said)
                took = perf_counter() - start
                self._seconds = 0.8 * self._seconds + 0.2 * took / len(lot)
                self._watch(len(lot), took)

    def _answer(self, lot: Sequence[Job]) -> Sequence[Said]:
        """Answer texts together; if that fails, each by itself, so that only those fail that must."""
        first = lot[0].ticket
        try:
            return self._ask([job.question for job in lot], first.attention, first.data_set)
        except Exception as error:  # noqa: BLE001  (whatever it is, the texts that waited with it are told)
            return [error] if len(lot) == 1 else [said for job in lot for said in self._answer([job])]


def alike(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Divide texts into batches that the network can read together: of about one length, asked in the same way.

    A text of 5,000 words among thirty short ones would make all of them as expensive as itself.
    """
    lot: list[Job] = []
    letters = 0
    for job in sorted(jobs, key=_order):
        *way, length = _order(job)
        if lot and (way != list(_order(lot[0])[:2]) or len(lot) * length - letters > PADDING):
            yield lot
            lot, letters = [], 0
        lot.append(job)
        letters += length
    yield lot


def _order(job: Job) -> tuple[bool, str, int]:
    return job.ticket.attention, job.ticket.data_set or "", len(job.question.text)
