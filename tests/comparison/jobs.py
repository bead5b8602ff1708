"""Jobs for other processes: a module of its own, so that they can be found there."""

import os

import torch

from mtl_core.errors import MtlError


def do(job: int) -> tuple[int, int, int]:
    """Square, or do whatever the number stands for."""
    if job == -1:
        raise MtlError("a mistake")
    if job == -2:
        raise ValueError("a bug")
    if job == -3:
        os._exit(3)
    return job * job, os.getpid(), torch.get_num_threads()
