"""Distributed data-parallel training: every rank computes a shard of each batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from accelerate import Accelerator
from torch import distributed

from mtl_core.data.batches import RowIndices
from mtl_core.errors import MtlError

T = TypeVar("T")


@dataclass(frozen=True)
class DistributedContext:
    """World size and rank of a distributed training.

    Every rank has a copy of the network and computes a shard of each batch. Sums over labels and gradients are
    reduced over all ranks, so that a step equals the step of a single process for any world size.

    Attributes:
        world_size: The world size.
        rank: The rank of this process, counted from 0.
    """

    world_size: int = 1
    rank: int = 0

    @staticmethod
    def from_accelerator(accelerator: Accelerator) -> "DistributedContext":
        """Return the world size and rank of an accelerator."""
        return DistributedContext(accelerator.num_processes, accelerator.process_index)

    def shard(self, row_indices: RowIndices) -> RowIndices:
        """Return the shard of a batch for this rank; it may be empty."""
        return row_indices if self.world_size == 1 else row_indices[self.rank :: self.world_size]

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over all ranks; the result is a new tensor without gradients.

        Raises:
            MtlError: If another rank has ended.
        """
        total = tensor.detach()
        if self.world_size > 1:
            total = total.clone()
            with _report_lost_ranks():
                distributed.all_reduce(total)
        return total

    def all_gather(self, value: T) -> list[T]:
        """Return the value of each rank, in the order of the ranks.

        Args:
            value: The value of this rank, which can be pickled.

        Raises:
            MtlError: If another rank has ended.
        """
        if self.world_size == 1:
            return [value]
        values: list[T] = [value] * self.world_size
        with _report_lost_ranks():
            distributed.all_gather_object(values, value)
        return values


@contextmanager
def _report_lost_ranks() -> Iterator[None]:
    """Raise an `MtlError` if the connection to another rank fails, instead of the backend's error."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise MtlError(f"the connection to another rank failed; see that rank's message ({reason})") from error


SINGLE_PROCESS = DistributedContext()
"""The context of a training in a single process."""
