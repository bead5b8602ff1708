"""Distributed runs, started by a launcher (`torchrun`, `accelerate launch`) as several processes.

Every rank loads the same data and trains on its shard of each batch. Rank 0 writes the run directory and prints;
the other ranks write to a temporary folder.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mtl_core.errors import CollectiveError, MtlError
from mtl_core.training.launcher import read_launched_process


def is_worker_rank() -> bool:
    """Return whether this process is a rank other than 0."""
    return read_launched_process().rank != 0


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


@dataclass(frozen=True)
class _Failure:
    """The exception of a rank, as other ranks receive it."""

    rank: int
    message: str
    is_user_error: bool


@contextmanager
def raise_on_every_rank() -> Iterator[None]:
    """Raise an error of the block on every rank, after all ranks have reached its end.

    Otherwise the other ranks would wait for the failed one, or end it before its message is printed. Do not train in
    the block: other ranks may not have entered it.

    Raises:
        CollectiveError: If ranks raise an `MtlError`: the error of the lowest of them.
        MtlError: If another rank raises any other exception; that rank raises it itself.
    """
    launched = read_launched_process()
    if launched.world_size == 1:
        yield
        return
    from mtl_core.training.process_group import start_process_group

    distributed = start_process_group()
    failure: Exception | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001  # raised below, once all ranks know of it
        failure = error
    description = None
    if failure is not None:
        is_user_error = isinstance(failure, MtlError)
        message = str(failure) if is_user_error else f"{type(failure).__name__}: {failure}"
        description = _Failure(distributed.rank, message, is_user_error)
    failures = [other for other in distributed.all_gather(description) if other is not None]
    if failure is not None and not isinstance(failure, MtlError):
        raise failure
    if failures:
        raise _build_error(failures) from failure


def _build_error(failures: Sequence[_Failure]) -> MtlError:
    """Build the error of a rank from the failures of all ranks."""
    bugs = [failure for failure in failures if not failure.is_user_error]
    if bugs:
        return MtlError(f"rank {bugs[0].rank} failed: {bugs[0].message}")
    first = failures[0]
    return CollectiveError(first.message if first.rank == 0 else f"rank {first.rank}: {first.message}")


def wait_for_all_ranks() -> None:
    """Wait until all ranks call this function, or until one of them has ended."""
    launched = read_launched_process()
    if launched.world_size == 1:
        return
    from mtl_core.training.process_group import start_process_group

    with suppress(MtlError):
        start_process_group().all_gather(None)
