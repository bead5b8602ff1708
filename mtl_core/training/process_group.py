"""The process group of a distributed training: NCCL between GPUs, Gloo between CPUs."""

import atexit

import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import parse_flag_from_env
from torch import distributed

from mtl_core.errors import MtlError
from mtl_core.training.distributed import SINGLE_PROCESS, DistributedContext
from mtl_core.training.launcher import LaunchedProcess, read_launched_process


def start_process_group() -> DistributedContext:
    """Join the processes of the launcher in a process group, once per process; do nothing without a launcher.

    Raises:
        MtlError: If the environment is not that of a launcher, if there are fewer GPUs than processes, or if the
            process group does not contain every process of the launcher.
    """
    launched = read_launched_process()
    if launched.world_size == 1:
        return SINGLE_PROCESS
    # Accelerate starts a process group on the CPU only if told so. Without one, every process trains the whole job.
    use_cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not _has_device_with_backend()
    if not use_cpu:
        _check_device_count(launched)
    try:
        state = PartialState(cpu=use_cpu)
        if state.num_processes != launched.world_size:  # a library has created it, on a CPU and without being told so
            AcceleratorState._reset_state(reset_partial_state=True)
            state = PartialState(cpu=use_cpu)
    except (ValueError, RuntimeError) as error:
        AcceleratorState._reset_state(reset_partial_state=True)  # incomplete
        raise MtlError(
            f"the {launched.world_size} processes of the launcher cannot be connected (rank {launched.rank}): {error}"
        ) from error
    check_world_size(state.num_processes)
    if use_cpu:  # otherwise the threads of Gloo abort the process at its exit
        end_process_group_at_exit()
    return DistributedContext(state.num_processes, state.process_index)


def check_world_size(trained_world_size: int) -> None:
    """Check that as many processes train together as the launcher has started.

    Args:
        trained_world_size: The world size of the accelerator.

    Raises:
        MtlError: If the numbers differ: every process would train the whole job.
    """
    launched_size = read_launched_process().world_size
    group_size = distributed.get_world_size() if distributed.is_initialized() else 1
    if not launched_size == group_size == trained_world_size:
        raise MtlError(
            f"the launcher has started {launched_size} processes (WORLD_SIZE), but the process group contains "
            f"{group_size} and the accelerator {trained_world_size}: each process would train the whole job. "
            "Start them with `torchrun`, which also sets LOCAL_RANK; to train in one process, unset WORLD_SIZE and RANK"
        )


def end_process_group_at_exit() -> None:
    """End the process group when this process exits.

    With NCCL, call it only after success: the end waits for all ranks, and a failed rank would wait forever.
    """
    if distributed.is_initialized():
        atexit.unregister(_end_process_group)
        atexit.register(_end_process_group)


def _end_process_group() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _has_device_with_backend() -> bool:
    """Return whether this machine has devices between which tensors can be reduced: GPUs, but not Apple's."""
    device = torch.accelerator.current_accelerator(check_available=True)
    return device is not None and device.type != "mps"


def _check_device_count(launched: LaunchedProcess) -> None:
    n_devices = torch.accelerator.device_count()
    if launched.local_world_size > n_devices:
        raise MtlError(
            f"the launcher has started {launched.local_world_size} processes on this machine, which has {n_devices} "
            f"GPU{'' if n_devices == 1 else 's'}; each process needs a GPU. Start at most {n_devices} "
            "(`--nproc-per-node`), or set ACCELERATE_USE_CPU=true to train on the CPU"
        )
