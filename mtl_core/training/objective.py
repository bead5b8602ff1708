"""What is minimised: the masked losses of all groups, weighed into one."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.heads import HeadOutput
from mtl_core.specs import WeightingSpec
from mtl_core.training.groups import TaskGroup
from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting


class Objective(nn.Module):
    """Losses and weighting.

    Args:
        groups: The groups of tasks, in the order of the network's.
        weighting: How task losses become one.
    """

    weighting: Weighting

    def __init__(self, groups: Sequence[TaskGroup], weighting: WeightingSpec) -> None:
        super().__init__()
        tasks = [task for group in groups for task in group.tasks]
        self.names = [task.name for task in tasks]
        self.losses = nn.ModuleList([group.build_loss() for group in groups])
        self._masks = [group.mask for group in groups]
        self._weighed = [torch.tensor([task.declared.weight > 0 for task in group.tasks]) for group in groups]
        self.weighting = weighting.build(self.names, [task.declared.weight for task in tasks])

    def masks(self, targets: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Say which labels of a batch are learned from: `(batch, tasks)`, bool, a group.

        A task of weight 0 is left out here, so that it costs nothing and is not moved by weight decay either.
        """
        groups = zip(self._masks, self._weighed, targets, strict=True)
        return [_checked(mask(table), table) & weighed.to(table.device) for mask, weighed, table in groups]

    def task_losses(
        self, outputs: Sequence[HeadOutput], targets: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> TaskLosses:
        """Compute the loss of every task that has a label in the batch.

        Raises:
            MtlError: If a loss is not finite.
        """
        groups = zip(self.losses, outputs, targets, masks, strict=True)
        losses = TaskLosses.concatenate([loss(said.outputs, wanted, mask) for loss, said, wanted, mask in groups])
        if not torch.isfinite(losses.values).all():
            bad = losses.tasks[~torch.isfinite(losses.values)].tolist()
            raise MtlError(
                f"the loss of task '{self.names[bad[0]]}' is not finite; "
                "a lower optimizer.lr or a training.clip_norm may help"
            )
        return losses


def _checked(mask: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Refuse what a mask of somebody's making must not give."""
    if mask.dtype != torch.bool or mask.shape != targets.shape[:2]:
        raise MtlError(
            f"a loss mask gave {mask.dtype} of shape {tuple(mask.shape)}, "
            f"expected torch.bool of shape {tuple(targets.shape[:2])}: (batch, tasks)"
        )
    return mask
