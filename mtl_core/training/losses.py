"""Masked losses: what is not labelled is never computed, and each task is normalised by its own labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from mtl_core.training.processes import Processes


class LossMask(Protocol):
    """Says which labels of a batch count."""

    def __call__(self, targets: torch.Tensor) -> torch.Tensor:
        """From targets `(batch, tasks, ...)` to a boolean tensor `(batch, tasks)`, or `(batch, tasks, length)`."""


Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor | None]


@dataclass(frozen=True)
class TaskLosses:
    """The losses of a batch, of those tasks that have a label in it.

    Attributes:
        values: `(active,)`: (weighted) mean loss over each task's valid labels, differentiable.
        tasks: `(active,)`, int64: which task each value belongs to.
        counts: `(tasks,)`, int64: examples with a valid label of every task, 0 for those that are not active.
    """

    values: torch.Tensor
    tasks: torch.Tensor
    counts: torch.Tensor

    def first(self, tasks: int) -> "TaskLosses":
        """Those of the first so many tasks."""
        kept = self.tasks < tasks
        return TaskLosses(self.values[kept], self.tasks[kept], self.counts[:tasks])


@dataclass(frozen=True)
class LossSums:
    """Sums over the labels of a batch, for every task of it, that of some examples added to that of others.

    Attributes:
        totals: `(tasks,)`: sum of the (weighted) losses of valid labels, differentiable.
        norms: `(tasks,)`: sum of their weights; how many they are if all count alike.
        counts: `(tasks,)`, int64: examples with a valid label.
    """

    totals: torch.Tensor
    norms: torch.Tensor
    counts: torch.Tensor

    @staticmethod
    def none(tasks: int, device: torch.device) -> "LossSums":
        """Of a group of tasks that has no label in the batch."""
        zeros = torch.zeros(tasks, device=device)
        return LossSums(zeros, zeros, zeros.long())

    @staticmethod
    def concatenate(groups: Sequence["LossSums"]) -> "LossSums":
        """Put groups of tasks behind each other."""
        return LossSums(
            torch.cat([group.totals for group in groups]),
            torch.cat([group.norms for group in groups]),
            torch.cat([group.counts for group in groups]),
        )

    def over(self, processes: Processes) -> "LossSums":
        """Add up what the processes hold.

        The values are those of the whole batch, their gradients those of this process's part of it.
        """
        if processes.count == 1:
            return self
        sums = processes.sum(torch.stack([self.totals, self.norms, self.counts.to(self.totals.dtype)]))
        own = self.totals - self.totals.detach()
        return LossSums(own + sums[0], sums[1], sums[2].round().long())

    def means(self) -> TaskLosses:
        """Normalise each task by its own labels, and leave out tasks without any."""
        # A task whose only labels in the batch carry a weight of zero has nothing to say either.
        active = (self.norms > 0).nonzero()[:, 0]
        counts = torch.where(self.norms > 0, self.counts, 0)
        return TaskLosses(self.totals[active] / self.norms[active], active, counts)


class GroupLoss(nn.Module):
    """The losses of a group of like tasks, in one go for all of them.

    Valid labels are picked out before the loss is computed. Multiplying by a mask afterwards would let a NaN of a
    masked output through (0 · NaN is NaN).

    Args:
        loss: From outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        class_weights: `(classes,)` a task, or None. A task's loss is the weighted mean, as in
            `torch.nn.functional.cross_entropy`.
        divergence: From two answers to the same inputs, `(n, outputs)` each, to how far they lie apart, `(n,)`;
            None where that cannot be said.
        consistency: How much it counts that both answers agree, in batches that hold each example twice.
    """

    class_weights: torch.Tensor | None

    def __init__(
        self,
        loss: nn.Module,
        class_weights: Sequence[torch.Tensor | None],
        divergence: Divergence = lambda first, second: None,
        consistency: float = 0.0,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.divergence = divergence
        self.consistency = consistency
        width = next((len(weights) for weights in class_weights if weights is not None), 0)
        rows = [torch.ones(width) if weights is None else weights for weights in class_weights]
        stacked = torch.stack(rows) if width else None
        self.register_buffer("class_weights", stacked, persistent=False)

    def forward(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        mask: torch.Tensor,
        label_weights: torch.Tensor | None = None,
    ) -> TaskLosses:
        """Compute the mean loss of each task that has a valid label; arguments are those of `sums`."""
        return self.sums(outputs, targets, mask, label_weights).means()

    def sums(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        mask: torch.Tensor,
        label_weights: torch.Tensor | None = None,
        twice: bool = False,
    ) -> LossSums:
        """Add up the losses of each task's valid labels.

        Args:
            outputs: `(batch, tasks, outputs)`, or `(batch, tasks, length, outputs)` for labels of tokens.
            targets: `(batch, tasks, ...)`.
            mask: `(batch, tasks)`, bool, or `(batch, tasks, length)`: which labels are valid.
            label_weights: `(batch, tasks)`: how much each example's labels count; None if all count alike.
            twice: Whether the second half of the batch is the first once more.
        """
        tasks = mask.shape[1]
        counts = (mask if mask.ndim == 2 else mask.any(dim=2)).sum(dim=0)
        picked = targets[mask]
        losses = self.loss(outputs[mask].float(), picked)
        if twice and self.consistency:
            losses = losses + self.consistency * self._apart(outputs, mask)[mask]
        where = mask.nonzero()
        task = where[:, 1]
        zeros = losses.new_zeros(tasks)
        if self.class_weights is None and label_weights is None:
            totals = zeros.index_add(0, task, losses)
            norms = counts.to(losses.dtype) if mask.ndim == 2 else mask.sum(dim=(0, 2)).to(losses.dtype)
        else:
            weights = torch.ones_like(losses)
            if self.class_weights is not None:
                weights = weights * self.class_weights[task, picked]
            if label_weights is not None:
                weights = weights * label_weights[where[:, 0], task]
            totals = zeros.index_add(0, task, losses * weights)
            norms = zeros.index_add(0, task, weights)
        return LossSums(totals, norms, counts)

    def _apart(self, outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Say how far both answers to each label lie apart, in the shape of the mask; 0 where there are not two."""
        half = len(mask) // 2
        both = mask[:half] & mask[half:]  # hidden tokens are others in either half
        apart = self.divergence(outputs[:half][both].float(), outputs[half:][both].float())
        table = outputs.new_zeros(both.shape, dtype=torch.float32)
        if apart is not None:
            table = table.masked_scatter(both, apart)
        return torch.cat([table, table])

    def not_finite(self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Find the examples with a label whose loss is no finite number, a task: `(batch, tasks)`, bool."""
        with torch.no_grad():
            losses = self.loss(outputs[mask].float(), targets[mask])
        bad = torch.zeros_like(mask)
        bad[mask] = ~torch.isfinite(losses)
        return bad if bad.ndim == 2 else bad.any(dim=2)
