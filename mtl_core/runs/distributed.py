"""Distributed runs, started by a launcher (`accelerate launch`, `torchrun`) as several processes.

Every rank loads the same data and trains on its shard of each batch. Rank 0 writes the run directory and prints;
the other ranks write to a temporary folder.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RANK_VARIABLE = "RANK"
"""The environment variable in which launchers pass the rank of a process, from 0."""


def is_worker_rank() -> bool:
    """Return whether this process is a rank other than 0."""
    return os.environ.get(RANK_VARIABLE, "0") != "0"


@contextmanager
def rank_output_dir(path: Path) -> Iterator[Path]:
    """Yield the run directory to create: `path` on rank 0, a temporary one on other ranks."""
    if not is_worker_rank():
        yield path
        return
    with tempfile.TemporaryDirectory() as temporary_dir:
        yield Path(temporary_dir) / path.name


@contextmanager
def rank_resume_dir(path: Path) -> Iterator[Path]:
    """Yield the run directory to resume in: `path` on rank 0, a temporary copy on other ranks."""
    with rank_output_dir(path) as run_dir:
        if run_dir != path:
            shutil.copytree(path, run_dir, ignore=shutil.ignore_patterns(".*"))  # temporary files
        yield run_dir
