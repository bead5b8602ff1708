"""Runs that a launcher (`accelerate launch`, `torchrun`) started in several processes.

Every process does the whole job on the same data, and trains on its share of each batch. The first one writes the
run directory and speaks; the others do both into a folder that is thrown away.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RANK = "RANK"
"""The environment variable by which launchers number the processes of a run, from 0."""


def helps_another() -> bool:
    """Whether this process works for the first one of its run."""
    return os.environ.get(RANK, "0") != "0"


@contextmanager
def own_place(path: Path) -> Iterator[Path]:
    """Give the run directory to make: the one that is meant, or one of a helping process's own."""
    if not helps_another():
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / path.name


@contextmanager
def own_copy(path: Path) -> Iterator[Path]:
    """Give the run directory to go on in: the one that is meant, or a helping process's copy of it."""
    with own_place(path) as place:
        if place != path:
            shutil.copytree(path, place, ignore=shutil.ignore_patterns(".*"))  # half-written files
        yield place
