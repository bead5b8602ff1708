"""The training objective: the weighted combination of the masked losses of all head groups."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.heads import HeadOutput
from mtl_core.seeding import derive_seed
from mtl_core.specs import WeightingSpec
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.groups import TaskGroup
from mtl_core.training.losses import GroupLoss, LossSums, TaskLosses
from mtl_core.training.not_finite import NotFiniteError
from mtl_core.training.processes import ALONE, Processes
from mtl_core.training.weighting import Weighting


class Objective(nn.Module):
    """Losses and weighting.

    The weighting combines the losses of the main tasks. The losses of auxiliary tasks are added to the result, each
    multiplied by its scheduled weight, so that the weighting of the main tasks does not depend on them.

    Args:
        groups: The head groups, in the order of the network: main tasks, followed by auxiliary tasks.
        weighting: The weighting of the main tasks.
        seed: The seed of the run, for a weighting with random draws.
        processes: World size and rank of the training.
        consistency: Weight of the R-Drop loss, in batches that contain each example twice.
    """

    weighting: Weighting

    def __init__(
        self,
        groups: Sequence[TaskGroup],
        weighting: WeightingSpec,
        seed: int = 0,
        processes: Processes = ALONE,
        consistency: float = 0.0,
    ) -> None:
        super().__init__()
        self._seed = seed
        self._processes = processes
        tasks = [task for group in groups for task in group.tasks]
        self.names = [task.name for task in tasks]
        self.losses = nn.ModuleList([group.build_loss(consistency) for group in groups])
        self._groups = groups
        main = [task for task in tasks if task.auxiliary is None]
        self._main = len(main)
        self._auxiliary = [task.auxiliary for task in tasks if task.auxiliary is not None]
        self.weighting = weighting.build([task.name for task in main], [task.declared.weight for task in main])
        self._weights = [task.declared.weight for task in tasks]
        self.at(0, 1)

    def at(self, step: int, total: int) -> None:
        """Update the weighting and the weights of auxiliary tasks at the start of a step.

        Args:
            step: The step, counted from 0.
            total: The number of steps of the run.
        """
        for place, spec in enumerate(self._auxiliary, start=self._main):
            self._weights[place] = spec.weight * spec.schedule.factor(step, total)
        self.weighting.at(step, total, derive_seed(self._seed, "weighting", step))

    def epoch_done(self, means: Sequence[float | None]) -> None:
        """Update the weighting at the end of an epoch.

        Args:
            means: The mean loss per label of each task in this epoch, in the order of the losses.
        """
        self.weighting.epoch_done(means[: self._main])

    def mute(self, tasks: Sequence[bool]) -> None:
        """Reset the weights of auxiliary tasks to those of the first step, and set those of some tasks to 0.

        Args:
            tasks: Whether to disable each task, in the order of the losses.
        """
        self.at(0, 1)
        self._weights = [0.0 if mute else weight for mute, weight in zip(tasks, self._weights, strict=True)]

    @property
    def sizes(self) -> list[int]:
        """The number of tasks per head group."""
        return [len(group.tasks) for group in self._groups]

    @property
    def needed(self) -> list[bool]:
        """Whether each head group has a task with a weight above 0; other head groups are not computed."""
        ends = [sum(self.sizes[: place + 1]) for place in range(len(self.sizes))]
        return [any(self._weights[end - size : end]) for size, end in zip(self.sizes, ends, strict=True)]

    def masks(self, batch: Batch) -> list[torch.Tensor]:
        """Return the mask of valid labels per head group: `(batch, tasks)` or `(batch, tasks, length)`, bool.

        The mask excludes tasks of weight 0, so that they are neither computed nor updated through weight decay.
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
        """Compute the loss of every task with a label in the batch.

        Raises:
            NotFiniteError: If a loss is not finite.
        """
        groups = zip(self.group_losses, outputs, batch.targets, masks, batch.weights, strict=True)
        sums = [
            LossSums.none(mask.shape[1], mask.device)
            if said is None
            else loss.sums(said.outputs, wanted, mask, weights, batch.twice)
            for loss, said, wanted, mask, weights in groups
        ]
        losses = LossSums.concatenate(sums).over(self._processes).means()
        if not torch.isfinite(losses.values).all():
            raise self._not_finite(losses, outputs, batch, masks)
        return losses

    def _not_finite(
        self, losses: TaskLosses, outputs: Sequence[HeadOutput | None], batch: Batch, masks: Sequence[torch.Tensor]
    ) -> NotFiniteError:
        """Build the error with the task and the examples of the non-finite loss."""
        task = int(losses.tasks[~torch.isfinite(losses.values)][0])
        ends = [sum(self.sizes[: home + 1]) for home in range(len(self.sizes))]
        home = next(home for home, end in enumerate(ends) if task < end)
        said = outputs[home]
        if said is None:  # the examples are in the shard of another rank
            return NotFiniteError(self.names[task], [])
        bad = self.group_losses[home].not_finite(said.outputs, batch.targets[home], masks[home])
        return NotFiniteError(self.names[task], bad[:, task - ends[home]].nonzero()[:, 0].tolist())

    @property
    def group_losses(self) -> list[GroupLoss]:
        """The loss of each head group, with its type."""
        return [loss for loss in self.losses if isinstance(loss, GroupLoss)]

    def total(self, losses: TaskLosses) -> torch.Tensor:
        """Combine task losses into the scalar that is minimised, unless the weighting balances gradients."""
        main, extra = self._parts(losses)
        if not len(main.values):
            return losses.values.new_zeros(()) if extra is None else extra
        total: torch.Tensor = self.weighting(main)
        return total if extra is None else total + extra

    def backward(self, losses: TaskLosses, penalty: torch.Tensor | None, gradients: StepGradients) -> None:
        """Compute the gradients of all parameters.

        Args:
            losses: The losses of the tasks with a label in the batch.
            penalty: The regularization loss of the architecture, a scalar tensor.
            gradients: Computes the gradients.
        """
        main, extra = self._parts(losses)
        if penalty is not None:
            penalty = penalty / self._processes.count  # every rank adds the full value
            extra = penalty if extra is None else extra + penalty
        if len(main.values):
            self.weighting.backward(main, extra, gradients)
        elif extra is not None:
            gradients.backward(extra)

    def stepped(self, again: Callable[[], TaskLosses]) -> None:
        """Update the weighting at the end of a step."""
        self.weighting.stepped(lambda: self._parts(again())[0])

    def _parts(self, losses: TaskLosses) -> tuple[TaskLosses, torch.Tensor | None]:
        """Return the losses of the main tasks, and the weighted sum of the auxiliary losses."""
        if not self._auxiliary:
            return losses, None
        helping = losses.tasks >= self._main
        weights = torch.tensor(self._weights, device=losses.values.device)[losses.tasks[helping]]
        return losses.first(self._main), (losses.values[helping] * weights).sum()


def _checked(mask: torch.Tensor, targets: torch.Tensor, dimensions: int) -> torch.Tensor:
    """Validate dtype and shape of the result of a loss mask."""
    expected = tuple(targets.shape[:dimensions])
    if mask.dtype != torch.bool or mask.shape != expected:
        names = "(batch, tasks)" if dimensions == 2 else "(batch, tasks, length)"
        raise MtlError(
            f"a loss mask returned {mask.dtype} of shape {tuple(mask.shape)}, "
            f"expected torch.bool of shape {expected}: {names}"
        )
    return mask
