"""Run jobs in a pool of processes with one thread each. Processes are reused: importing torch takes seconds."""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from mtl_core.errors import MtlError

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_jobs(
    function: Callable[[Job], Result], jobs: Sequence[Job], n_processes: int
) -> Iterator[tuple[Job, Result]]:
    """Start jobs in order, and yield each job with its result when it finishes.

    torch computes in one thread in every process, so that results do not depend on the number of processes.

    Args:
        function: The function that runs a job. With several processes it must be a module-level function, or a
            `partial` of one.
        jobs: The jobs.
        n_processes: Maximum number of jobs at a time; with 1, jobs run in this process.

    Yields:
        A job and its result.

    Raises:
        MtlError: If `function` raises it, or if a process is killed. The other processes are terminated then.
        RuntimeError: If `function` raises another exception in a worker process.
    """
    if min(n_processes, len(jobs)) <= 1:
        with _limit_to_one_thread():
            for job in jobs:
                yield job, function(job)
        return
    pending = list(reversed(jobs))
    workers: list[_Worker[Job]] = []
    try:
        workers += [_start_worker(function) for _ in range(min(n_processes, len(jobs)))]
        for worker in workers:
            worker.send(pending.pop())
        while busy_workers := {worker.connection: worker for worker in workers if worker.job is not None}:
            for connection in wait(list(busy_workers)):
                worker = busy_workers[connection]  # type: ignore[index]
                job, result = worker.receive()
                if pending:
                    worker.send(pending.pop())
                yield job, result
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


@dataclass(frozen=True)
class _Failure:
    """A failed job: the message of an `MtlError`, or the traceback of a bug."""

    message: str
    is_bug: bool


@dataclass
class _Worker(Generic[Job]):
    process: BaseProcess
    connection: Connection
    job: Job | None = None

    def send(self, job: Job) -> None:
        self.job = job
        self.connection.send(job)

    def receive(self) -> tuple[Job, Any]:
        """Receive the result of the current job."""
        job, self.job = self.job, None
        assert job is not None  # noqa: S101  called only for workers with a job
        try:
            result = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            raise MtlError(
                f"a process was killed (exit code {self.process.exitcode}), perhaps because memory ran out; "
                "the same command with fewer --jobs continues"
            ) from None
        if isinstance(result, _Failure):
            raise (
                RuntimeError(f"in another process:\n{result.message}")
                if result.is_bug
                else MtlError(result.message)
            )
        return job, result


def _start_worker(function: Callable[[Job], Result]) -> _Worker[Job]:
    context = get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_run_worker, args=(child_end, function))
    process.start()
    child_end.close()  # so that the end of the process closes the pipe
    return _Worker(process, parent_end)


def _run_worker(connection: Connection, function: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent terminates its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with _limit_to_one_thread():
        while True:
            job = connection.recv()
            try:
                connection.send(function(job))
            except MtlError as error:
                connection.send(_Failure(str(error), is_bug=False))
            except Exception:  # noqa: BLE001  sent to the parent, which raises it
                connection.send(_Failure(traceback.format_exc(), is_bug=True))


def _exit_with_parent() -> None:
    """Exit with the parent: a killed parent cannot terminate its workers, which would continue to write files."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _limit_to_one_thread() -> Iterator[None]:
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
