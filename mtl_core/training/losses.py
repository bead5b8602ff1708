"""Masked losses: computed for labelled examples only, and normalised by the number of labels per task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mtl_core.data.task_groups import TaskGroup
from mtl_core.training.distributed import DistributedContext

Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor | None]


@dataclass(frozen=True)
class TaskLosses:
    """The losses of the tasks with a label in a batch.

    Attributes:
        values: `(active,)`: (weighted) mean loss over the valid labels of each task, differentiable.
        tasks: `(active,)`, int64: the task of each value.
        counts: `(tasks,)`, int64: number of valid labels per task, of tokens for labels per token; 0 for tasks
            without a value.
    """

    values: torch.Tensor
    tasks: torch.Tensor
    counts: torch.Tensor

    def select_first(self, n_tasks: int) -> "TaskLosses":
        """Return the losses of the first tasks, the number of which is `n_tasks`."""
        is_selected = self.tasks < n_tasks
        return TaskLosses(self.values[is_selected], self.tasks[is_selected], self.counts[:n_tasks])


@dataclass(frozen=True)
class LossSums:
    """Sums over the labels of a batch per task.

    Attributes:
        totals: `(tasks,)`: sum of the (weighted) losses of valid labels, differentiable.
        norms: `(tasks,)`: sum of the weights of valid labels; their number for equal weights.
        counts: `(tasks,)`, int64: number of valid labels; of tokens for labels per token.
    """

    totals: torch.Tensor
    norms: torch.Tensor
    counts: torch.Tensor

    @staticmethod
    def zeros(n_tasks: int, device: torch.device) -> "LossSums":
        """Return the sums of a head group without labels in the batch: zeros."""
        zero_sums = torch.zeros(n_tasks, device=device)
        return LossSums(zero_sums, zero_sums, zero_sums.long())

    @staticmethod
    def concatenate(groups: Sequence["LossSums"]) -> "LossSums":
        """Concatenate the sums of head groups."""
        if len(groups) == 1:
            return groups[0]
        return LossSums(
            torch.cat([group.totals for group in groups]),
            torch.cat([group.norms for group in groups]),
            torch.cat([group.counts for group in groups]),
        )

    def all_reduce(self, distributed: DistributedContext) -> "LossSums":
        """Reduce the sums over all ranks.

        The values are those of the whole batch, the gradients those of the shard of this rank.
        """
        if distributed.world_size == 1:
            return self
        sums = distributed.all_reduce(torch.stack([self.totals, self.norms, self.counts.to(self.totals.dtype)]))
        local_totals = self.totals - self.totals.detach()
        return LossSums(local_totals + sums[0], sums[1], sums[2].round().long())

    def compute_means(self) -> TaskLosses:
        """Return the mean loss of each task with a label."""
        # A task whose labels in the batch all have weight 0 counts as unlabelled.
        is_active = self.norms > 0
        active = is_active.nonzero()[:, 0]
        if len(active) == len(self.norms):
            return TaskLosses(self.totals / self.norms, active, self.counts)
        counts = torch.where(is_active, self.counts, 0)
        return TaskLosses(self.totals[active] / self.norms[active], active, counts)


def build_group_loss(group: TaskGroup, r_drop: float = 0.0) -> "GroupLoss":
    """Build the loss of a head group; `r_drop` is the weight of the R-Drop loss."""
    class_weights = [task.kind.class_weights for task in group.tasks]
    kind = group.tasks[0].kind
    return GroupLoss(kind.loss, class_weights, kind.compute_divergence, r_drop)


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
        r_drop: Weight of the R-Drop loss, in batches that contain each example twice.
    """

    class_weights: torch.Tensor | None

    def __init__(
        self,
        loss: nn.Module,
        class_weights: Sequence[torch.Tensor | None],
        divergence: Divergence = lambda first, second: None,
        r_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.divergence = divergence
        self.r_drop = r_drop
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
        """Compute the mean loss of each task with a valid label; the arguments are those of `compute_sums`."""
        return self.compute_sums(outputs, targets, mask, label_weights).compute_means()

    def compute_sums(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        mask: torch.Tensor,
        label_weights: torch.Tensor | None = None,
        is_duplicated: bool = False,
    ) -> LossSums:
        """Sum the losses of the valid labels per task.

        Args:
            outputs: `(batch, tasks, outputs)`, or `(batch, tasks, length, outputs)` for labels per token.
            targets: `(batch, tasks, ...)`.
            mask: `(batch, tasks)` or `(batch, tasks, length)`, bool: the valid labels.
            label_weights: `(batch, tasks)`, float: weight of the labels of each example; None for equal weights.
            is_duplicated: Whether the second half of the batch repeats the first.
        """
        counts = mask.sum(dim=0) if mask.ndim == 2 else mask.sum(dim=(0, 2))
        # Selecting by index is several times faster than by mask, also in the backward pass.
        labels = mask.flatten().nonzero()[:, 0]
        task_indices = _get_task_indices(labels, mask)
        valid_targets = _select_labels(targets, mask, labels)
        losses = self.loss(_to_loss_dtype(_select_labels(outputs, mask, labels)), valid_targets)
        if is_duplicated and self.r_drop:
            losses = losses + self.r_drop * self._compute_divergence(outputs, mask)[mask]
        zeros = losses.new_zeros(mask.shape[1])
        if self.class_weights is None and label_weights is None:
            totals = zeros.index_add(0, task_indices, losses)
            norms = counts.to(losses.dtype)
        else:
            weights = torch.ones_like(losses)
            if self.class_weights is not None:
                weights = weights * self.class_weights[task_indices, valid_targets]
            if label_weights is not None:
                weights = weights * label_weights[labels // mask[0].numel(), task_indices]
            totals = zeros.index_add(0, task_indices, losses * weights)
            norms = zeros.index_add(0, task_indices, weights)
        return LossSums(totals, norms, counts)

    def _compute_divergence(self, outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the divergence of both outputs per label, in the shape of the mask; 0 without a second output."""
        half = len(mask) // 2
        common_mask = mask[:half] & mask[half:]  # the halves have different masked tokens
        divergence = self.divergence(outputs[:half][common_mask].float(), outputs[half:][common_mask].float())
        table = outputs.new_zeros(common_mask.shape, dtype=torch.float32)
        if divergence is not None:
            table = table.masked_scatter(common_mask, divergence)
        return torch.cat([table, table])

    def find_non_finite(self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return which examples have a label with a non-finite loss, `(batch, tasks)`, bool."""
        with torch.no_grad():
            losses = self.loss(_to_loss_dtype(outputs[mask]), targets[mask])
        non_finite = torch.zeros_like(mask)
        non_finite[mask] = ~torch.isfinite(losses)
        return non_finite if non_finite.ndim == 2 else non_finite.any(dim=2)


def _select_labels(values: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the values of labels, `(labels, ...)`, given the index of each label in the flattened mask."""
    if values.numel() == mask.numel():  # one value per label: faster in one dimension
        return values.flatten().index_select(0, labels).view(-1, *values.shape[mask.ndim :])
    return values.flatten(0, mask.ndim - 1).index_select(0, labels)


def _get_task_indices(labels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the task of each label, `(labels,)`, given its index in the flattened mask."""
    if mask.ndim == 2:
        return labels % mask.shape[1]
    return torch.div(labels, mask.shape[2], rounding_mode="floor") % mask.shape[1]


def _to_loss_dtype(outputs: torch.Tensor) -> torch.Tensor:
    """Return outputs as float32, since the sums of half precision are too coarse; float64 stays."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))
