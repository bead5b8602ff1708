"""Masked losses: computed for labelled examples only, and normalised by the number of labels per task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from mtl_core.training.processes import Processes


class LossMask(Protocol):
    """Selects the valid labels of a batch."""

    def __call__(self, targets: torch.Tensor) -> torch.Tensor:
        """Return the mask of targets `(batch, tasks, ...)`: `(batch, tasks)` or `(batch, tasks, length)`, bool."""


Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor | None]


@dataclass(frozen=True)
class TaskLosses:
    """The losses of the tasks with a label in a batch.

    Attributes:
        values: `(active,)`: (weighted) mean loss over the valid labels of each task, differentiable.
        tasks: `(active,)`, int64: the task of each value.
        counts: `(tasks,)`, int64: number of examples with a valid label per task; 0 for tasks without a value.
    """

    values: torch.Tensor
    tasks: torch.Tensor
    counts: torch.Tensor

    def first(self, tasks: int) -> "TaskLosses":
        """Return the losses of the first tasks, the number of which is `tasks`."""
        kept = self.tasks < tasks
        return TaskLosses(self.values[kept], self.tasks[kept], self.counts[:tasks])


@dataclass(frozen=True)
class LossSums:
    """Sums over the labels of a batch per task.

    Attributes:
        totals: `(tasks,)`: sum of the (weighted) losses of valid labels, differentiable.
        norms: `(tasks,)`: sum of the weights of valid labels; their number for equal weights.
        counts: `(tasks,)`, int64: number of examples with a valid label.
    """

    totals: torch.Tensor
    norms: torch.Tensor
    counts: torch.Tensor

    @staticmethod
    def none(tasks: int, device: torch.device) -> "LossSums":
        """Return the sums of a head group without labels in the batch: zeros."""
        zeros = torch.zeros(tasks, device=device)
        return LossSums(zeros, zeros, zeros.long())

    @staticmethod
    def concatenate(groups: Sequence["LossSums"]) -> "LossSums":
        """Concatenate the sums of head groups."""
        return LossSums(
            torch.cat([group.totals for group in groups]),
            torch.cat([group.norms for group in groups]),
            torch.cat([group.counts for group in groups]),
        )

    def over(self, processes: Processes) -> "LossSums":
        """Reduce the sums over all ranks.

        The values are those of the whole batch, the gradients those of the shard of this rank.
        """
        if processes.count == 1:
            return self
        sums = processes.sum(torch.stack([self.totals, self.norms, self.counts.to(self.totals.dtype)]))
        own = self.totals - self.totals.detach()
        return LossSums(own + sums[0], sums[1], sums[2].round().long())

    def means(self) -> TaskLosses:
        """Return the mean loss of each task with a label."""
        # A task whose labels in the batch all have weight 0 counts as unlabelled.
        active = (self.norms > 0).nonzero()[:, 0]
        counts = torch.where(self.norms > 0, self.counts, 0)
        return TaskLosses(self.totals[active] / self.norms[active], active, counts)


class GroupLoss(nn.Module):
    """The losses of a head group, computed for all its tasks together.

    Valid labels are selected before the loss is computed. Multiplication by a mask afterwards would propagate a NaN
    of a masked output (0 · NaN is NaN).

    Args:
        loss: Module from outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        class_weights: `(classes,)` or None per task. The loss of a task is the weighted mean, as in
            `torch.nn.functional.cross_entropy`.
        divergence: Function from two outputs for the same inputs, `(n, outputs)` each, to their divergence `(n,)`;
            it returns None if the divergence is undefined.
        consistency: Weight of the R-Drop loss, in batches that contain each example twice.
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
        """Compute the mean loss of each task with a valid label; the arguments are those of `sums`."""
        return self.sums(outputs, targets, mask, label_weights).means()

    def sums(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        mask: torch.Tensor,
        label_weights: torch.Tensor | None = None,
        twice: bool = False,
    ) -> LossSums:
        """Sum the losses of the valid labels per task.

        Args:
            outputs: `(batch, tasks, outputs)`, or `(batch, tasks, length, outputs)` for labels per token.
            targets: `(batch, tasks, ...)`.
            mask: `(batch, tasks)` or `(batch, tasks, length)`, bool: the valid labels.
            label_weights: `(batch, tasks)`, float: weight of the labels of each example; None for equal weights.
            twice: Whether the second half of the batch repeats the first.
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
        """Return the divergence of both outputs per label, in the shape of the mask; 0 without a second output."""
        half = len(mask) // 2
        both = mask[:half] & mask[half:]  # the halves have different masked tokens
        apart = self.divergence(outputs[:half][both].float(), outputs[half:][both].float())
        table = outputs.new_zeros(both.shape, dtype=torch.float32)
        if apart is not None:
            table = table.masked_scatter(both, apart)
        return torch.cat([table, table])

    def not_finite(self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return which examples have a label with a non-finite loss, `(batch, tasks)`, bool."""
        with torch.no_grad():
            losses = self.loss(outputs[mask].float(), targets[mask])
        bad = torch.zeros_like(mask)
        bad[mask] = ~torch.isfinite(losses)
        return bad if bad.ndim == 2 else bad.any(dim=2)
