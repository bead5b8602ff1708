"""Jobs for worker processes, in a separate module that workers can import."""

import os

import torch

from mtl_core.errors import MtlError
from mtl_core.experiments.process_pool import Report


def run_job(job: int, _: Report) -> tuple[int, int, int]:
    """Return the square, the process id and the number of threads; negative numbers fail in different ways."""
    if job == -1:
        raise MtlError("a mistake")
    if job == -2:
        raise ValueError("a bug")
    if job == -3:
        os._exit(3)
    return job * job, os.getpid(), torch.get_num_threads()
