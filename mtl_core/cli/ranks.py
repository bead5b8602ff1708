"""The command line in several processes: rank 0 prints, and each rank ends with the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from mtl_core.errors import CollectiveError, MtlError
from mtl_core.runs.distributed import is_worker_rank, wait_for_all_ranks
from mtl_core.training.launcher import read_launched_process

DISTRIBUTED_COMMANDS = ("run", "resume")
"""The commands that several processes execute together."""


def check_single_process(command: str) -> None:
    """Check that no launcher has started several processes of a command that is not distributed.

    Raises:
        MtlError: If it has: each process would do the whole work, and write the same files.
    """
    launched = read_launched_process()
    if launched.world_size == 1:
        return
    if launched.rank != 0:
        raise typer.Exit  # without an error, so that the launcher does not end rank 0 before it prints
    names = " and ".join(f"`mtl {name}`" for name in DISTRIBUTED_COMMANDS)
    raise MtlError(
        f"`mtl {command}` runs in one process, but a launcher has started {launched.world_size} (WORLD_SIZE); "
        f"only {names} train in several processes"
    )


@contextmanager
def handle_rank_interrupt(format_hint: Callable[[], str]) -> Iterator[None]:
    """Exit with code 130 at Ctrl-C; rank 0 prints a message.

    Args:
        format_hint: Returns how to continue, or an empty text.
    """
    if not is_worker_rank():
        from mtl_core.cli.console import handle_interrupt  # imports rich, which `mtl --help` does not need

        with handle_interrupt(format_hint):
            yield
        return
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def print_error(error: MtlError) -> None:
    """Print an error; if every rank raises it, on rank 0 only, and wait until it is printed."""
    rank = _read_rank()
    if not isinstance(error, CollectiveError):
        typer.echo(f"error: {f'rank {rank}: ' if rank else ''}{error}", err=True)
        return
    if rank == 0:
        typer.echo(f"error: {error}", err=True)
    wait_for_all_ranks()  # launchers end all processes when one fails: rank 0 must have printed by then


def _read_rank() -> int:
    try:
        return read_launched_process().rank
    except MtlError:  # the error to print: the environment is not that of a launcher
        return 0


def end_ranks() -> None:
    """End the process group when this process exits, after a command that succeeded."""
    if read_launched_process().world_size > 1:
        from mtl_core.training.process_group import end_process_group_at_exit

        end_process_group_at_exit()
