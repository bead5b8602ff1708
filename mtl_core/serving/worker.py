"""The prediction thread, which owns the network."""

import threading
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from mtl_core.runs.answers import Answer
from mtl_core.runs.predict import Question
from mtl_core.serving.tickets import Job, Said, Ticket
from mtl_core.serving.waiting import Waiting

Ask = Callable[[Sequence[Question], bool, str | None], Sequence[Answer]]
"""Maps texts, whether to return attention weights, and a data set to predictions."""
Watch = Callable[[int, float], None]
"""Called with the number of texts of a batch and its seconds."""

PADDING = 256
"""The maximum padding of a batch, in characters; beyond it, another batch is cheaper."""


class Worker:
    """One thread that computes the predictions of the texts in a queue, in batches.

    Args:
        ask: The prediction function of the network. It is only called in this thread.
        waiting: The queue.
        threads: The number of torch threads; the default of torch if None.
        watch: Called after each batch.
    """

    def __init__(self, ask: Ask, waiting: Waiting, threads: int | None, watch: Watch) -> None:
        self.waiting = waiting
        self._ask = ask
        self._threads = threads
        self._watch = watch
        self._seconds = 0.01  # moving average per text
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the queue, process its texts, and join the thread."""
        self.waiting.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def ready(self) -> bool:
        """Whether the thread runs and the queue is open."""
        return self._thread.is_alive() and not self.waiting.closed

    def take(self, ticket: Ticket, patient: bool = False) -> None:
        """Add texts to the queue; see `Waiting.put`."""
        self.waiting.put(ticket, patient)

    def wait_seconds(self) -> float:
        """Estimate the seconds until all texts in the queue are processed."""
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
        """Predict a batch; if that fails, predict each text separately, so that only the failing texts fail."""
        first = lot[0].ticket
        try:
            return self._ask([job.question for job in lot], first.attention, first.data_set)
        except Exception as error:  # noqa: BLE001  (each text receives its exception)
            return [error] if len(lot) == 1 else [said for job in lot for said in self._answer([job])]


def alike(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Divide texts into batches of similar length and equal options.

    A text of 5,000 words in a batch with thirty short ones would make all of them as expensive as itself.
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
