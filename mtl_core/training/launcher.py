"""The environment variables in which a launcher (`torchrun`, `accelerate launch`, `mpirun`) describes its processes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_core.errors import MtlError

WORLD_SIZE_VARIABLES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""The variables with the number of processes, in the order in which Accelerate reads them."""
RANK_VARIABLES = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""The variables with the rank of a process."""
ADDRESS_VARIABLE = "MASTER_ADDR"
"""The variable with the address of rank 0."""
LAUNCH_HINT = "`torchrun --nproc-per-node {n} -m mtl_core run …`"


@dataclass(frozen=True)
class LaunchedProcess:
    """A process of a launcher, as the environment describes it.

    Attributes:
        world_size: The number of processes.
        rank: The rank of this process, counted from 0.
        local_world_size: The number of processes on this machine, if the launcher reports it; otherwise 1.
    """

    world_size: int = 1
    rank: int = 0
    local_world_size: int = 1


def read_launched_process() -> LaunchedProcess:
    """Read the environment variables of the launcher; without a launcher, the world size is 1.

    Raises:
        MtlError: If the variables contradict each other, or if `accelerate launch` started fewer processes than
            its options state. The processes would each train the whole job, or wait for others that never start.
    """
    world_size = _read_number(WORLD_SIZE_VARIABLES, minimum=1)
    rank = _read_number(RANK_VARIABLES, minimum=0)
    if world_size is None:
        _check_accelerate_launch()
    size_name, size = world_size or (WORLD_SIZE_VARIABLES[0], 1)
    rank_name, rank_number = rank or (RANK_VARIABLES[0], 0)
    if size > 1 and (rank is None or ADDRESS_VARIABLE not in os.environ):
        missing = rank_name if rank is None else ADDRESS_VARIABLE
        raise MtlError(
            f"the environment variable {size_name} is {size}, but {missing} is not set: no launcher has started "
            f"this process, and it would train alone. Start it with {LAUNCH_HINT.format(n=size)}, or unset {size_name}"
        )
    if rank_number >= size:
        raise MtlError(
            f"the environment variable {rank_name} is {rank_number}, but {size_name} is "
            f"{size if world_size else 'not set'}; expected a rank below the number of processes. "
            f"Unset {rank_name} to train in one process"
        )
    local_size = _read_number(("LOCAL_WORLD_SIZE",), minimum=1)
    return LaunchedProcess(size, rank_number, local_size[1] if local_size else 1)


def _read_number(names: Sequence[str], minimum: int) -> tuple[str, int] | None:
    """Return the name and the value of the first of some environment variables that is set."""
    for name in names:
        text = os.environ.get(name)
        if text is None:
            continue
        if not text.isdecimal() or int(text) < minimum:
            raise MtlError(f"the environment variable {name} is '{text}', expected a whole number from {minimum}")
        return name, int(text)
    return None


def _check_accelerate_launch() -> None:
    """Check that `accelerate launch` was not told to start several processes and started one.

    It does so with `--cpu`, and with fewer than two GPUs unless `--multi_gpu` is given. It then sets the address of
    the main process, but no world size.
    """
    if {"ACCELERATE_MIXED_PRECISION", ADDRESS_VARIABLE} <= set(os.environ):
        raise MtlError(
            "`accelerate launch` was told to start several processes, but has started one: on the CPU, it starts "
            f"several only with `--multi_gpu` instead of `--cpu`, or with MPI. Use {LAUNCH_HINT.format(n='N')} or "
            "`accelerate launch --multi_gpu --num_processes N -m mtl_core run …`; to train in one process, unset "
            f"{ADDRESS_VARIABLE}"
        )
