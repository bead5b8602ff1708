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
    from mtl_core.experiments.sweep.trial import TrialJob, TrialOutcome

NextJob = Callable[[], "TrialJob | None"]
"""Returns the next trial; None if there are enough."""
ShouldPrune = Callable[["TrialJob", int, float], bool]
"""Receives a trial, an epoch and its validation score; returns whether to prune the trial."""
OnTrialEnd = Callable[["TrialJob", "TrialOutcome"], None]
"""Receives a finished trial and its outcome."""


@dataclass(frozen=True)
class _EpochReport:
    """The validation score of an epoch; the worker waits for the decision whether to prune."""

    epoch: int
    score: float


@dataclass(frozen=True)
class _WorkerError:
    """The traceback of a bug in a worker."""

    traceback: str


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    job: TrialJob | None = None


def train_sequentially(next_job: NextJob, should_prune: ShouldPrune, on_trial_end: OnTrialEnd) -> None:
    """Train one trial after another in this process."""
    from mtl_core.experiments.sweep.trial import train_trial

    while (job := next_job()) is not None:
        on_trial_end(job, train_trial(job, lambda epoch, score, job=job: should_prune(job, epoch, score)))  # type: ignore[misc]


def train_in_parallel(
    n_processes: int, next_job: NextJob, should_prune: ShouldPrune, on_trial_end: OnTrialEnd
) -> None:
    """Train several trials at a time.

    A trial whose process is killed, perhaps because memory ran out, counts as failed.

    Args:
        n_processes: Maximum number of processes; each computes in one thread.
        next_job: Returns the next trial.
        should_prune: Returns after each epoch whether to prune the trial.
        on_trial_end: Called with each finished trial.

    Raises:
        RuntimeError: If a worker process raises an exception other than an `MtlError`.
    """
    workers: list[_Worker] = []
    has_more_trials = True
    try:
        while True:
            while has_more_trials and sum(worker.job is not None for worker in workers) < n_processes:
                job = next_job()
                if job is None:
                    has_more_trials = False
                    break
                worker = next((idle_worker for idle_worker in workers if idle_worker.job is None), None)
                if worker is None:
                    worker = _start_worker()
                    workers.append(worker)
                worker.job = job
                worker.connection.send(job)
            busy_workers = [(worker, worker.job) for worker in workers if worker.job is not None]
            if not busy_workers:
                return
            ready = wait([worker.connection for worker, _ in busy_workers])
            for worker, job in busy_workers:
                if worker.connection in ready and not _handle_message(worker, job, should_prune, on_trial_end):
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def _handle_message(worker: _Worker, job: TrialJob, should_prune: ShouldPrune, on_trial_end: OnTrialEnd) -> bool:
    """Handle one message of a worker; return whether the worker is still alive."""
    from mtl_core.experiments.sweep.trial import TrialOutcome

    try:
        message = worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        reason = f"its process was killed (exit code {worker.process.exitcode}), perhaps because memory ran out"
        on_trial_end(job, TrialOutcome("failed", reason=reason))
        return False
    if isinstance(message, _EpochReport):
        worker.connection.send(should_prune(job, message.epoch, message.score))
    elif isinstance(message, _WorkerError):
        raise RuntimeError(f"trial {job.number}, in a worker process:\n{message.traceback}")
    else:
        worker.job = None
        on_trial_end(job, message)
    return True


def _start_worker() -> _Worker:
    context = get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_run_worker, args=(child_end,))
    process.start()
    child_end.close()  # so that the end of the process closes the pipe
    return _Worker(process, parent_end)


def _run_worker(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent terminates its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    import torch

    from mtl_core.experiments.sweep.trial import train_trial

    torch.set_num_threads(1)

    def report(epoch: int, score: float) -> bool:
        connection.send(_EpochReport(epoch, score))
        return bool(connection.recv())

    while True:
        job: TrialJob = connection.recv()
        try:
            connection.send(train_trial(job, report))
        except Exception:  # noqa: BLE001  sent to the parent, which raises it
            connection.send(_WorkerError(traceback.format_exc()))


def _exit_with_parent() -> None:
    """Exit with the parent: a killed parent cannot terminate its workers, which would continue to write files."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
