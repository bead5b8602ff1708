"""Who trains the trials: this process one after the other, or several, one thread each. None knows of Optuna."""

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

if TYPE_CHECKING:  # a worker must not import torch before it has learned to leave Ctrl-C to its parent
    from mtl_core.sweeps.trial import Job, Outcome

NextJob = Callable[[], "Job | None"]
"""Gives the next trial, None if there are enough."""
Judge = Callable[["Job", int, float], bool]
"""Is told a trial's epoch and its validation figure; says whether to end the trial."""
Done = Callable[["Job", "Outcome"], None]
"""Is told what became of a trial."""


@dataclass(frozen=True)
class _Epoch:
    """A worker asks whether to end its trial."""

    epoch: int
    score: float


@dataclass(frozen=True)
class _Bug:
    """Something in a worker is broken."""

    traceback: str


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    job: Job | None = None


def train_here(next_job: NextJob, judge: Judge, done: Done) -> None:
    """Train one trial after the other in this process."""
    from mtl_core.sweeps.trial import train_trial

    while (job := next_job()) is not None:
        done(job, train_trial(job, lambda epoch, score, job=job: judge(job, epoch, score)))  # type: ignore[misc]


def train_in_processes(jobs: int, next_job: NextJob, judge: Judge, done: Done) -> None:
    """Train several trials at a time.

    Args:
        jobs: Processes at most; each computes in one thread, so that they do not wait for each other.
        next_job: Gives the next trial.
        judge: Says after each epoch whether to end it.
        done: Is told what became of it.

    A trial whose process is killed from outside, perhaps because the memory was full, has failed.

    Raises:
        RuntimeError: If there is a bug in a process.
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
    """Take a message; say whether the worker is still alive."""
    from mtl_core.sweeps.trial import Outcome

    try:
        message = worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        reason = f"its process was ended from outside (exit code {worker.process.exitcode}); was the memory full?"
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
    there.close()  # so that the death of the process is noticed
    return _Worker(process, here)


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
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
        except Exception:  # noqa: BLE001  told to the parent, which raises it
            connection.send(_Bug(traceback.format_exc()))


def _die_with_parent() -> None:
    """A parent that is killed cannot end its workers, which would go on writing into the same folders."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
