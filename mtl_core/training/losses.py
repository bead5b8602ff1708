"""Masked losses: what is not labelled is never computed, and each task is normalised by its own labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn


class LossMask(Protocol):
    """Says which labels of a batch count."""

    def __call__(self, targets: torch.Tensor) -> torch.Tensor:
        """From targets `(batch, tasks, ...)` to a boolean tensor `(batch, tasks)`, or `(batch, tasks, length)`."""


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

    @staticmethod
    def none(tasks: int, device: torch.device) -> "TaskLosses":
        """Of a group of tasks that has no label in the batch."""
        empty = torch.zeros(0, device=device)
        return TaskLosses(empty, empty.long(), torch.zeros(tasks, dtype=torch.int64, device=device))

    def first(self, tasks: int) -> "TaskLosses":
        """Those of the first so many tasks."""
        kept = self.tasks < tasks
        return TaskLosses(self.values[kept], self.tasks[kept], self.counts[:tasks])

    @staticmethod
    def concatenate(groups: Sequence["TaskLosses"]) -> "TaskLosses":
        """Put groups of tasks behind each other."""
        offsets = [0]
        for group in groups[:-1]:
            offsets.append(offsets[-1] + len(group.counts))
        return TaskLosses(
            torch.cat([group.values for group in groups]),
            torch.cat([group.tasks + offset for group, offset in zip(groups, offsets, strict=True)]),
            torch.cat([group.counts for group in groups]),
        )


class GroupLoss(nn.Module):
    """The losses of a group of like tasks, in one go for all of them.

    Valid labels are picked out before the loss is computed. Multiplying by a mask afterwards would let a NaN of a
    masked output through (0 · NaN is NaN).

    Args:
        loss: From outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        class_weights: `(classes,)` a task, or None. A task's loss is the weighted mean, as in
            `torch.nn.functional.cross_entropy`.
    """

    class_weights: torch.Tensor | None

    def __init__(self, loss: nn.Module, class_weights: Sequence[torch.Tensor | None]) -> None:
        super().__init__()
        self.loss = loss
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
        """Compute the mean loss of each task that has a valid label.

        Args:
            outputs: `(batch, tasks, outputs)`, or `(batch, tasks, length, outputs)` for labels of tokens.
            targets: `(batch, tasks, ...)`.
            mask: `(batch, tasks)`, bool, or `(batch, tasks, length)`: which labels are valid.
            label_weights: `(batch, tasks)`: how much each example's labels count; None if all count alike.
        """
        tasks = mask.shape[1]
        counts = (mask if mask.ndim == 2 else mask.any(dim=2)).sum(dim=0)
        picked = targets[mask]
        losses = self.loss(outputs[mask].float(), picked)
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
        # A task whose only labels in the batch carry a weight of zero has nothing to say either.
        active = (norms > 0).nonzero()[:, 0]
        return TaskLosses(totals[active] / norms[active], active, torch.where(norms > 0, counts, 0))
