"""Train trials one after another in this process, or in several processes with one thread each."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a worker must not import torch before it ignores SIGINT
    from mtl_core.sweeps.trial import Job, Outcome

NextJob = Callable[[], "Job | None"]
"""Returns the next trial; None if there are enough."""
Judge = Callable[["Job", int, float], bool]
"""Receives a trial, an epoch and its validation score; returns whether to prune the trial."""
Done = Callable[["Job", "Outcome"], None]
"""Receives a finished trial and its outcome."""


@dataclass(frozen=True)
class _Epoch:
    """The validation score of an epoch; the worker waits for the decision whether to prune."""

    epoch: int
    score: float


@dataclass(frozen=True)
class _Bug:
    """The traceback of a bug in a worker."""

    traceback: str


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Job | None = None


def train_here(next_job: NextJob, judge: Judge, done: Done) -> None:
    """Train one trial after another in this process."""
    from mtl_core.sweeps.trial import train_trial

    while (job := next_job()) is not None:
        done(job, train_trial(job, lambda epoch, score, job=job: judge(job, epoch, score)))  # type: ignore[misc]


def train_in_processes(jobs: int, next_job: NextJob, judge: Judge, done: Done) -> None:
    """Train several trials at a time.

    A trial whose process is killed, perhaps because memory ran out, counts as failed.

    Args:
        jobs: Maximum number of processes; each computes in one thread.
        next_job: Returns the next trial.
        judge: Returns after each epoch whether to prune the trial.
        done: Called with each finished trial.

    Raises:
        RuntimeError: If a worker process raises an exception other than an `MtlError`.
    """
    workers: list[_Worker] = []
    more = True
    try:
        while True:
            while more and sum(worker.job is not None for worker in workers) < jobs:
                job = next_job()
                if job is None:
                    more = False
                    break
                worker = next((one for one in workers if one.job is None), None)
                if worker is None:
                    worker = _start()
                    workers.append(worker)
                worker.job = job
                worker.connection.send(job)
            busy = [(worker, worker.job) for worker in workers if worker.job is not None]
            if not busy:
                return
            ready = wait([worker.connection for worker, _ in busy])
            for worker, job in busy:
                if worker.connection in ready and not _hear(worker, job, judge, done):
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def _hear(worker: _Worker, job: Job, judge: Judge, done: Done) -> bool:
    """Handle one message of a worker; return whether the worker is still alive."""
    from mtl_core.sweeps.trial import Outcome

    try:
        message = worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        reason = f"its process was killed (exit code {worker.process.exitcode}), perhaps because memory ran out"
        done(job, Outcome("failed", reason=reason))
        return False
    if isinstance(message, _Epoch):
        worker.connection.send(judge(job, message.epoch, message.score))
    elif isinstance(message, _Bug):
        raise RuntimeError(f"trial {job.number}, in a worker process:\n{message.traceback}")
    else:
        worker.job = None
        done(job, message)
    return True


def _start() -> _Worker:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there,))
    process.start()
    there.close()  # so that the end of the process closes the pipe
    return _Worker(process, here)


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent terminates its workers
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    from mtl_core.sweeps.trial import train_trial

    torch.set_num_threads(1)

    def report(epoch: int, score: float) -> bool:
        connection.send(_Epoch(epoch, score))
        return bool(connection.recv())

    while True:
        job: Job = connection.recv()
        try:
            connection.send(train_trial(job, report))
        except Exception:  # noqa: BLE001  sent to the parent, which raises it
            connection.send(_Bug(traceback.format_exc()))


def _die_with_parent() -> None:
    """Exit with the parent: a killed parent cannot terminate its workers, which would continue to write files."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
