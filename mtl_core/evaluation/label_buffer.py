"""Collect the unmasked labels of a head group over batches."""

import torch

from mtl_core.nn.group_labels import GroupLabels


class LabelBuffer:
    """The unmasked labels of a head group and the outputs for them, on the CPU."""

    def __init__(self) -> None:
        self._parts: list[GroupLabels] = []
        self.n_values = 0
        """Number of output values in the buffer."""

    def add(self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> None:
        """Add the labels of a batch.

        Args:
            outputs: `(batch, tasks, outputs)`; `(batch, tasks, length, outputs)` per token or pixel.
            targets: `(batch, tasks, ...)`.
            mask: `(batch, tasks)` or `(batch, tasks, length)`, bool: the valid labels.
        """
        task_masks = mask.transpose(0, 1)
        rows = task_masks.flatten().nonzero()[:, 0]
        task_outputs, task_targets = (
            table.transpose(0, 1).flatten(0, mask.ndim - 1).index_select(0, rows).cpu() for table in (outputs, targets)
        )
        self._parts.append(GroupLabels(task_outputs.float(), task_targets, task_masks.flatten(1).sum(dim=1).cpu()))
        self.n_values += task_outputs.numel()

    def take_labels(self) -> GroupLabels | None:
        """Return the labels in the buffer, and empty it; None if there are none."""
        parts = [part for part in self._parts if len(part.targets)]
        self._parts, self.n_values = [], 0
        return GroupLabels.merge(parts) if parts else None
