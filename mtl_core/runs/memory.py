"""Memory that a network does not fit into: an error before the training if it can be foreseen, else in place of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork


class NetworkTooLargeError(MtlError):
    """A network or its training does not fit into the memory."""


@contextmanager
def describe_memory_errors(subject: str, hint: str) -> Iterator[None]:
    """Raise a `NetworkTooLargeError` in place of an error of the memory allocator.

    Args:
        subject: What does not fit, such as "the network".
        hint: What makes it smaller.

    Raises:
        NetworkTooLargeError: If an allocation fails.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # The CPU allocator raises a RuntimeError without a class of its own.
        is_allocation = isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
        if not is_allocation:
            raise
        detail = (str(error).splitlines() or ["no detail"])[0].rpartition("DefaultCPUAllocator: ")[2]
        raise NetworkTooLargeError(f"{subject} does not fit into the memory; {hint} ({detail})") from error


def check_training_memory(config: ExperimentConfig, network: MultiTaskNetwork, device: torch.device) -> None:
    """Check that weights, gradients and the state of the optimizer fit into the memory of a device.

    They are a lower bound of what a training needs: features and data need memory, too.

    Args:
        config: The experiment, whose optimizer is used.
        network: The network.
        device: The device of the training.

    Raises:
        NetworkTooLargeError: If they need more memory than the device has.
    """
    total = _get_total_bytes(device)
    parameters = list(network.parameters())
    n_bytes = sum(one.numel() * one.element_size() for one in parameters)
    trained = [one for one in parameters if one.requires_grad]
    if total is None or not trained:
        return
    n_copies = 1 + _count_optimizer_states(config.optimizer.build(trained))
    needed = n_bytes + n_copies * sum(one.numel() * one.element_size() for one in trained)
    if needed > total:
        place = "this machine" if device.type == "cpu" else f"the device {device}"
        raise NetworkTooLargeError(
            f"the network has {sum(one.numel() for one in parameters):,} parameters; weights, gradients and the state "
            f"of the optimizer '{config.optimizer.type}' need at least {needed / 1e9:.1f} GB, but {place} has "
            f"{total / 1e9:.1f} GB; reduce the sizes of encoder, backbone and heads"
        )


def _count_optimizer_states(optimizer: torch.optim.Optimizer) -> int:
    """Return how many numbers per parameter an optimizer of torch stores; 0 if it is unknown."""
    if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
        return 2
    return int(any(group.get("momentum", 0) for group in optimizer.param_groups))


def _get_total_bytes(device: torch.device) -> int | None:
    """Return the size of the memory of a device; None if it is unknown."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "cpu" and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
