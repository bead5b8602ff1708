"""Doing many jobs in several processes, one thread each. They are used again: importing torch takes seconds."""

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
    """Do jobs in their order, and give each with its result as it ends.

    torch computes in one thread wherever a job is done, so that results do not depend on the number of processes.

    Args:
        work: Does a job. With several processes it must be a function of a module, or a `partial` of one.
        jobs: What is to be done.
        processes: How many jobs at a time; with one, they are done in this process.

    Raises:
        MtlError: As `work` raises it, or if a process is killed. The other processes are ended then.
        RuntimeError: If there is a bug in `work`.
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
    """What a process tells of a job that failed: a mistake of the user, or a bug with its traceback."""

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
        """Take the result of the job that was given."""
        job, self.job = self.job, None
        assert job is not None  # noqa: S101  only workers with a job are asked
        try:
            result = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            raise MtlError(
                f"a process was ended from outside (exit code {self.process.exitcode}), perhaps for want of "
                "memory; the same command with fewer --jobs goes on"
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
    there.close()  # so that the death of the process is noticed
    return _Worker(process, here)


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with _one_thread():
        while True:
            job = connection.recv()
            try:
                connection.send(work(job))
            except MtlError as error:
                connection.send(_Failure(str(error), is_bug=False))
            except Exception:  # noqa: BLE001  told to the parent, which raises it
                connection.send(_Failure(traceback.format_exc(), is_bug=True))


def _die_with_parent() -> None:
    """A parent that is killed cannot end its workers, which would go on writing into the same folders."""
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
