"""The processes that train one network together, each on its share of every batch."""

from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import distributed

from mtl_core.training.batches import Rows


@dataclass(frozen=True)
class Processes:
    """Who else computes.

    Every process holds the whole network and sees a share of each batch's examples. Sums over labels and gradients
    are added up over processes, so that a step is that of the whole batch, whatever their number.

    Attributes:
        count: How many there are.
        rank: Which of them this one is, counted from 0.
    """

    count: int = 1
    rank: int = 0

    @staticmethod
    def of(accelerator: Accelerator) -> "Processes":
        """Those that were started together with this one."""
        return Processes(accelerator.num_processes, accelerator.process_index)

    def share(self, rows: Rows) -> Rows:
        """The examples of a batch that this process sees; there may be none."""
        return rows if self.count == 1 else rows[self.rank :: self.count]

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Add a tensor up over all processes; the result is a new tensor without gradients."""
        total = tensor.detach()
        if self.count > 1:
            total = total.clone()
            distributed.all_reduce(total)
        return total


ALONE = Processes()
"""One process."""
