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


def run_jobs(work: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Result]]:
    """Start jobs in order, and yield each job with its result when it finishes.

    torch computes in one thread in every process, so that results do not depend on the number of processes.

    Args:
        work: The function that runs a job. With several processes it must be a module-level function, or a
            `partial` of one.
        jobs: The jobs.
        processes: Maximum number of jobs at a time; with 1, jobs run in this process.

    Yields:
        A job and its result.

    Raises:
        MtlError: If `work` raises it, or if a process is killed. The other processes are terminated then.
        RuntimeError: If `work` raises another exception in a worker process.
    """
    if min(processes, len(jobs)) <= 1:
        with _one_thread():
            for job in jobs:
                yield job, work(job)
        return
    left = list(reversed(jobs))
    workers: list[_Worker[Job]] = []
    try:
        workers += [_start(work) for _ in range(min(processes, len(jobs)))]
        for worker in workers:
            worker.give(left.pop())
        while busy := {worker.connection: worker for worker in workers if worker.job is not None}:
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                job, result = worker.taken()
                if left:
                    worker.give(left.pop())
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

    def give(self, job: Job) -> None:
        self.job = job
        self.connection.send(job)

    def taken(self) -> tuple[Job, Any]:
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


def _start(work: Callable[[Job], Result]) -> _Worker[Job]:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, work))
    process.start()
    there.close()  # so that the end of the process closes the pipe
    return _Worker(process, here)


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent terminates its workers
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with _one_thread():
        while True:
            job = connection.recv()
            try:
                connection.send(work(job))
            except MtlError as error:
                connection.send(_Failure(str(error), is_bug=False))
            except Exception:  # noqa: BLE001  sent to the parent, which raises it
                connection.send(_Failure(traceback.format_exc(), is_bug=True))


def _die_with_parent() -> None:
    """Exit with the parent: a killed parent cannot terminate its workers, which would continue to write files."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
