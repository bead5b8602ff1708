"""What is minimised: the masked losses of all groups, weighed into one."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.heads import HeadOutput
from mtl_core.specs import WeightingSpec
from mtl_core.training.batches import Batch
from mtl_core.training.groups import TaskGroup
from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting


class Objective(nn.Module):
    """Losses and weighting.

    The weighting combines the main tasks' losses. Auxiliary ones are added to that, each times its own weight at
    the moment, so that what a weighting does to the main tasks does not depend on them.

    Args:
        groups: The groups of tasks, in the order of the network's: main tasks, then auxiliary ones.
        weighting: How the main tasks' losses become one.
    """

    weighting: Weighting

    def __init__(self, groups: Sequence[TaskGroup], weighting: WeightingSpec) -> None:
        super().__init__()
        tasks = [task for group in groups for task in group.tasks]
        self.names = [task.name for task in tasks]
        self.losses = nn.ModuleList([group.build_loss() for group in groups])
        self._groups = groups
        main = [task for task in tasks if task.auxiliary is None]
        self._main = len(main)
        self._auxiliary = [task.auxiliary for task in tasks if task.auxiliary is not None]
        self.weighting = weighting.build([task.name for task in main], [task.declared.weight for task in main])
        self._weights = [task.declared.weight for task in tasks]
        self.at(0, 1)

    def at(self, step: int, total: int) -> None:
        """Bring the auxiliary tasks' weights to where the run stands.

        Args:
            step: The step that is about to be taken, counted from 0.
            total: The number of steps that the run has.
        """
        for place, spec in enumerate(self._auxiliary, start=self._main):
            self._weights[place] = spec.weight * spec.schedule.factor(step, total)

    def mute(self, tasks: Sequence[bool]) -> None:
        """Give auxiliary tasks their weights of the run's beginning again, and the marked ones none.

        Args:
            tasks: One mark a task, in the order of the losses.
        """
        self.at(0, 1)
        self._weights = [0.0 if mute else weight for mute, weight in zip(tasks, self._weights, strict=True)]

    @property
    def needed(self) -> list[bool]:
        """Which groups of tasks have any weight now; the others are not computed."""
        sizes = [len(group.tasks) for group in self._groups]
        ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
        return [any(self._weights[end - size : end]) for size, end in zip(sizes, ends, strict=True)]

    def masks(self, batch: Batch) -> list[torch.Tensor]:
        """Say which labels of a batch are learned from, a group: `(batch, tasks)`, with `length` for tokens, bool.

        A task of weight 0 is left out here, so that it costs nothing and is not moved by weight decay either.
        """
        masks, start = [], 0
        for group, table, weights in zip(self._groups, batch.targets, batch.weights, strict=True):
            mask = _checked(group.mask(table), table, group.label_dimensions)
            weighed = [weight > 0 for weight in self._weights[start : start + len(group.tasks)]]
            counts = torch.tensor([weighed], device=table.device)
            if weights is not None:
                counts = counts & (weights > 0)
            masks.append(mask & (counts if mask.ndim == 2 else counts.unsqueeze(-1)))
            start += len(group.tasks)
        return masks

    def task_losses(
        self, outputs: Sequence[HeadOutput | None], batch: Batch, masks: Sequence[torch.Tensor]
    ) -> TaskLosses:
        """Compute the loss of every task that has a label in the batch.

        Raises:
            MtlError: If a loss is not finite.
        """
        groups = zip(self.losses, outputs, batch.targets, masks, batch.weights, strict=True)
        losses = TaskLosses.concatenate(
            [
                TaskLosses.none(mask.shape[1], mask.device)
                if said is None
                else loss(said.outputs, wanted, mask, weights)
                for loss, said, wanted, mask, weights in groups
            ]
        )
        if not torch.isfinite(losses.values).all():
            bad = losses.tasks[~torch.isfinite(losses.values)].tolist()
            raise MtlError(
                f"the loss of task '{self.names[bad[0]]}' is not finite; "
                "a lower optimizer.lr or a training.clip_norm may help"
            )
        return losses

    def total(self, losses: TaskLosses) -> torch.Tensor:
        """Combine task losses into the scalar that is minimised."""
        if not self._auxiliary:
            total: torch.Tensor = self.weighting(losses)
            return total
        main = losses.first(self._main)
        total = self.weighting(main) if len(main.values) else losses.values.new_zeros(())
        helping = losses.tasks >= self._main
        weights = torch.tensor(self._weights, device=losses.values.device)[losses.tasks[helping]]
        return total + (losses.values[helping] * weights).sum()


def _checked(mask: torch.Tensor, targets: torch.Tensor, dimensions: int) -> torch.Tensor:
    """Refuse what a mask of somebody's making must not give."""
    expected = tuple(targets.shape[:dimensions])
    if mask.dtype != torch.bool or mask.shape != expected:
        names = "(batch, tasks)" if dimensions == 2 else "(batch, tasks, length)"
        raise MtlError(
            f"a loss mask gave {mask.dtype} of shape {tuple(mask.shape)}, "
            f"expected torch.bool of shape {expected}: {names}"
        )
    return mask
