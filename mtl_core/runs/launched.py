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

RANK = "RANK"
"""The environment variable in which launchers pass the rank of a process, from 0."""


def helps_another() -> bool:
    """Return whether this process is a rank other than 0."""
    return os.environ.get(RANK, "0") != "0"


@contextmanager
def own_place(path: Path) -> Iterator[Path]:
    """Yield the run directory to create: `path` on rank 0, a temporary one on other ranks."""
    if not helps_another():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / path.name


@contextmanager
def own_copy(path: Path) -> Iterator[Path]:
    """Yield the run directory to resume in: `path` on rank 0, a temporary copy on other ranks."""
    with own_place(path) as place:
        if place != path:
            shutil.copytree(path, place, ignore=shutil.ignore_patterns(".*"))  # temporary files
        yield place
