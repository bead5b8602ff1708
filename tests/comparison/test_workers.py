"""Many jobs in several processes."""

import os
import signal

import pytest
import torch
from jobs import run_job

from mtl_core.errors import MtlError
from mtl_core.experiments.process_pool import run_jobs


def test_processes_are_reused_and_compute_in_one_thread() -> None:
    results = dict(run_jobs(run_job, list(range(6)), 2))
    assert {job: result[0] for job, result in results.items()} == {job: job * job for job in range(6)}
    processes = {result[1] for result in results.values()}
    assert 1 <= len(processes) <= 2
    assert os.getpid() not in processes
    assert {result[2] for result in results.values()} == {1}


def test_single_worker_runs_in_this_process_in_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        results = list(run_jobs(run_job, [3, 4], 1))
        assert [(job, result[0]) for job, result in results] == [(3, 9), (4, 16)]
        assert {result[1:] for _, result in results} == {(os.getpid(), 1)}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert list(run_jobs(run_job, [], 3)) == []


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize(
    ("job", "error", "message"),
    [
        (-1, MtlError, "a mistake"),
        (-2, RuntimeError, "in another process:.*a bug"),
        (-3, MtlError, r"a process was killed \(exit code 3\).* fewer --jobs"),
    ],
)
def test_errors_in_a_process_are_reported(job: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        list(run_jobs(run_job, [job, 2], 2))


class _InterruptedFinalizer:
    """An object whose finalizer is interrupted by Ctrl-C; Python ignores exceptions of finalizers."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("n_processes", [1, 2])
def test_interrupt_in_a_finalizer_stops_the_jobs(n_processes: int) -> None:
    handler_before = signal.getsignal(signal.SIGINT)
    results = run_jobs(run_job, list(range(20)), n_processes)
    next(results)
    _InterruptedFinalizer()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert signal.getsignal(signal.SIGINT) is handler_before
