"""Many jobs in several processes."""

import os

import pytest
import torch
from jobs import do

from mtl_core.comparison.workers import run_jobs
from mtl_core.errors import MtlError


def test_processes_are_used_again_and_compute_in_one_thread() -> None:
    found = dict(run_jobs(do, list(range(6)), 2))
    assert {job: result[0] for job, result in found.items()} == {job: job * job for job in range(6)}
    processes = {result[1] for result in found.values()}
    assert 1 <= len(processes) <= 2
    assert os.getpid() not in processes
    assert {result[2] for result in found.values()} == {1}


def test_one_job_at_a_time_is_done_here_in_one_thread_too() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = list(run_jobs(do, [3, 4], 1))
        assert [(job, result[0]) for job, result in found] == [(3, 9), (4, 16)]
        assert {result[1:] for _, result in found} == {(os.getpid(), 1)}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert list(run_jobs(do, [], 3)) == []


@pytest.mark.usefixtures("copied_workers")
@pytest.mark.parametrize(
    ("job", "error", "message"),
    [
        (-1, MtlError, "a mistake"),
        (-2, RuntimeError, "in another process:.*a bug"),
        (-3, MtlError, r"a process was killed \(exit code 3\).* fewer --jobs"),
    ],
)
def test_what_goes_wrong_in_a_process_is_told(job: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"(?s){message}"):
        list(run_jobs(do, [job, 2], 2))
