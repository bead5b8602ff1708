"""Run jobs in this process or in a pool of processes. Processes are reused: importing torch takes seconds."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, Generic, TypeVar

from mtl_core.errors import MtlError

Job = TypeVar("Job")
Result = TypeVar("Result")
Report = Callable[[Any], Any]
"""Sends a value to `on_report` while a job runs, and returns the answer."""


def _ignore_report(job: Any, value: Any) -> None:
    pass


def _raise_killed(job: Any, reason: str) -> Any:
    raise MtlError(f"a {reason}; the same command with fewer --jobs continues")


def run_jobs(
    function: Callable[[Job, Report], Result],
    jobs: Iterable[Job],
    n_processes: int,
    on_report: Callable[[Job, Any], Any] = _ignore_report,
    on_killed: Callable[[Job, str], Result] = _raise_killed,
    n_threads: int | None = 1,
) -> Iterator[tuple[Job, Result]]:
    """Start jobs in order, and yield each job with its result when it finishes.

    Args:
        function: The function that runs a job, given the job and a `Report`. With several processes it must be a
            module-level function, or a `partial` of one.
        jobs: The jobs. They are taken one by one: the next job can depend on the results that were yielded before.
        n_processes: Maximum number of jobs at a time; with 1, jobs run in this process.
        on_report: Called in this process with a job and the value that it reports; returns the answer.
        on_killed: Called if the process of a job is killed, with the job and the reason; returns the result.
        n_threads: Number of torch threads per process, so that results do not depend on the number of processes;
            None for torch's own choice.

    Yields:
        A job and its result.

    Raises:
        MtlError: If `function` raises it, or if a process is killed and there is no `on_killed`. The other
            processes are terminated then.
        RuntimeError: If `function` raises another exception in a worker process.
    """
    remaining_jobs = iter(jobs)
    with _remember_interrupt() as raise_if_interrupted:
        if n_processes <= 1:
            with _limit_threads(n_threads):
                for job in remaining_jobs:
                    yield job, function(job, partial(on_report, job))
                    raise_if_interrupted()
            return
        yield from _run_in_workers(
            function, remaining_jobs, n_processes, on_report, on_killed, n_threads, raise_if_interrupted
        )


def _run_in_workers(
    function: Callable[[Job, Report], Result],
    remaining_jobs: Iterator[Job],
    n_processes: int,
    on_report: Callable[[Job, Any], Any],
    on_killed: Callable[[Job, str], Result],
    n_threads: int | None,
    raise_if_interrupted: Callable[[], None],
) -> Iterator[tuple[Job, Result]]:
    """Run jobs in worker processes, as in `run_jobs`."""
    workers: list[_Worker[Job]] = []
    try:
        while True:
            raise_if_interrupted()
            while len(busy_workers := [worker for worker in workers if worker.job is not None]) < n_processes:
                if (next_job := next(remaining_jobs, None)) is None:
                    break
                idle_worker = next((worker for worker in workers if worker.job is None), None)
                if idle_worker is None:
                    workers.append(idle_worker := _start_worker(function, n_threads))
                idle_worker.job = next_job
                idle_worker.connection.send(next_job)
            if not busy_workers:
                return
            ready_connections = wait([worker.connection for worker in busy_workers])
            for worker in busy_workers:
                if worker.connection not in ready_connections:
                    continue
                busy_job = worker.job
                assert busy_job is not None  # noqa: S101  only busy workers are waited for
                try:
                    message = worker.connection.recv()
                except (EOFError, ConnectionError):
                    worker.process.join()
                    workers.remove(worker)
                    code = worker.process.exitcode
                    reason = f"process was killed (exit code {code}), perhaps because memory ran out"
                    yield busy_job, on_killed(busy_job, reason)
                    continue
                if isinstance(message, _Failure):
                    raise message.error
                if isinstance(message, _ReportedValue):
                    worker.connection.send(on_report(busy_job, message.value))
                else:
                    worker.job = None
                    yield busy_job, message
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def get_default_jobs() -> int:
    """Return the default number of jobs: the number of CPU cores, or 1 with a GPU, which all jobs would share."""
    import torch

    if torch.cuda.is_available():
        return 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _ReportedValue:
    """A value that a running job reports."""

    value: Any


@dataclass(frozen=True)
class _Failure:
    """The error of a failed job: an `MtlError`, or a `RuntimeError` with the traceback of a bug."""

    error: Exception


@dataclass
class _Worker(Generic[Job]):
    process: BaseProcess
    connection: Connection
    job: Job | None = None


def _start_worker(function: Callable[[Job, Report], Any], n_threads: int | None) -> _Worker[Job]:
    context = get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_run_worker, args=(child_end, n_threads))
    process.start()
    child_end.close()  # so that the end of the process closes the pipe
    parent_end.send(function)
    return _Worker(process, parent_end)


def _run_worker(connection: Connection, n_threads: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent terminates its workers
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    function = connection.recv()  # may import torch, so SIGINT is ignored before

    def report(value: Any) -> Any:
        connection.send(_ReportedValue(value))
        return connection.recv()

    with _limit_threads(n_threads):
        while True:
            job = connection.recv()
            try:
                connection.send(function(job, report))
            except MtlError as error:
                connection.send(_Failure(MtlError(str(error))))
            except Exception:  # noqa: BLE001  sent to the parent, which raises it
                connection.send(_Failure(RuntimeError(f"in another process:\n{traceback.format_exc()}")))


def _exit_with_parent() -> None:
    """Exit with the parent: a killed parent cannot terminate its workers, which would continue to write files."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _remember_interrupt() -> Iterator[Callable[[], None]]:
    """Remember Ctrl-C, and yield a function that raises `KeyboardInterrupt` after it.

    The handler that was set before is called too, so an interrupt usually takes effect at once. But Python ignores an
    exception that is raised in a finalizer or in a callback of a library: without this, the jobs would continue.
    """
    is_interrupted = False
    handler_before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_interrupted
        is_interrupted = True
        assert callable(handler_before)  # noqa: S101  it is installed only then
        handler_before(number, frame)

    def raise_if_interrupted() -> None:
        if is_interrupted:
            raise KeyboardInterrupt

    if not callable(handler_before) or threading.current_thread() is not threading.main_thread():
        yield raise_if_interrupted
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield raise_if_interrupted
    finally:
        signal.signal(signal.SIGINT, handler_before)


@contextmanager
def _limit_threads(n_threads: int | None) -> Iterator[None]:
    """Limit the number of torch threads; None does not change it."""
    if n_threads is None:
        yield
        return
    import torch

    n_threads_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads_before)
