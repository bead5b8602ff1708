"""Distributed data-parallel training: every rank computes a shard of each batch."""

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import distributed

from mtl_core.training.batches import Rows


@dataclass(frozen=True)
class Processes:
    """World size and rank of a distributed training.

    Every rank has a copy of the network and computes a shard of each batch. Sums over labels and gradients are
    reduced over all ranks, so that a step equals the step of a single process for any world size.

    Attributes:
        count: The world size.
        rank: The rank of this process, counted from 0.
    """

    count: int = 1
    rank: int = 0

    @staticmethod
    def of(accelerator: Accelerator) -> "Processes":
        """Return the world size and rank of an accelerator."""
        return Processes(accelerator.num_processes, accelerator.process_index)

    def share(self, rows: Rows) -> Rows:
        """Return the shard of a batch for this rank; it may be empty."""
        return rows if self.count == 1 else rows[self.rank :: self.count]

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over all ranks; the result is a new tensor without gradients."""
        total = tensor.detach()
        if self.count > 1:
            total = total.clone()
            distributed.all_reduce(total)
        return total


ALONE = Processes()
"""The context of a training in a single process."""
