"""The training objective: the weighted combination of the masked losses of all head groups."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import torch
from torch import nn

from mtl_core.data.batches import Batch
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError
from mtl_core.nn.heads import HeadOutput
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.seeding import derive_seed
from mtl_core.training.distributed import SINGLE_PROCESS, DistributedContext
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import GroupLoss, LossSums, TaskLosses, build_group_loss
from mtl_core.training.non_finite import NonFiniteLossError
from mtl_core.training.weighting import Weighting


class Objective(nn.Module):
    """Losses and weighting.

    The weighting combines the losses of the main tasks. The losses of auxiliary tasks are added to the result, each
    multiplied by its scheduled weight, so that the weighting of the main tasks does not depend on them.

    Args:
        groups: The head groups, in the order of the network: main tasks, followed by auxiliary tasks.
        weighting: The weighting of the main tasks.
        seed: The seed of the run, for a weighting with random draws.
        distributed: World size and rank of the training.
        r_drop: Weight of the R-Drop loss, in batches that contain each example twice.
    """

    weighting: Weighting

    def __init__(
        self,
        groups: Sequence[TaskGroup],
        weighting: WeightingSpec,
        seed: int = 0,
        distributed: DistributedContext = SINGLE_PROCESS,
        r_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self._seed = seed
        self._distributed = distributed
        tasks = [task for group in groups for task in group.tasks]
        self.names = [task.name for task in tasks]
        self.losses = nn.ModuleList([build_group_loss(group, r_drop) for group in groups])
        self._groups = groups
        main = [task for task in tasks if task.auxiliary_spec is None]
        self._n_main = len(main)
        self._auxiliary_specs = [task.auxiliary_spec for task in tasks if task.auxiliary_spec is not None]
        self.weighting = weighting.build([task.name for task in main], [task.config.weight for task in main])
        self._weights = [task.config.weight for task in tasks]
        self.on_step_start(0, 1)

    def on_step_start(self, step: int, total: int) -> None:
        """Update the weighting and the weights of auxiliary tasks at the start of a step.

        Args:
            step: The step, counted from 0.
            total: The number of steps of the run.
        """
        for index, spec in enumerate(self._auxiliary_specs, start=self._n_main):
            self._weights[index] = spec.weight * spec.schedule.compute_factor(step, total)
        self.weighting.on_step_start(step, total, derive_seed(self._seed, "weighting", step))

    def on_epoch_end(self, means: Sequence[float | None]) -> None:
        """Update the weighting at the end of an epoch.

        Args:
            means: The mean loss per label of each task in this epoch, in the order of the losses.
        """
        self.weighting.on_epoch_end(means[: self._n_main])

    def disable_tasks(self, disabled: Sequence[bool]) -> None:
        """Reset the weights of auxiliary tasks to those of the first step, and set those of some tasks to 0.

        Args:
            disabled: Whether to disable each task, in the order of the losses.
        """
        self.on_step_start(0, 1)
        self._weights = [
            0.0 if is_disabled else weight for is_disabled, weight in zip(disabled, self._weights, strict=True)
        ]

    @property
    def group_sizes(self) -> list[int]:
        """The number of tasks per head group."""
        return [len(group.tasks) for group in self._groups]

    @property
    def active_groups(self) -> list[bool]:
        """Whether each head group has a task with a weight above 0; other head groups are not computed."""
        return [
            any(self._weights[end - size : end]) for size, end in zip(self.group_sizes, self._group_ends, strict=True)
        ]

    @property
    def _group_ends(self) -> list[int]:
        """The index after the last task of each head group."""
        return list(accumulate(self.group_sizes))

    def compute_masks(self, batch: Batch) -> list[torch.Tensor]:
        """Return the mask of valid labels per head group: `(batch, tasks)` or `(batch, tasks, length)`, bool.

        The mask excludes tasks of weight 0, so that they are neither computed nor updated through weight decay.
        """
        masks, start = [], 0
        for group, table, weights in zip(self._groups, batch.targets, batch.weights, strict=True):
            mask = _validate_mask(group.mask(table), table, group.n_mask_dimensions)
            task_weights = self._weights[start : start + len(group.tasks)]
            start += len(group.tasks)
            if weights is None and min(task_weights) > 0:
                masks.append(mask)
                continue
            has_label_weight = torch.tensor([[weight > 0 for weight in task_weights]], device=table.device)
            if weights is not None:
                has_label_weight = has_label_weight & (weights > 0)
            masks.append(mask & (has_label_weight if mask.ndim == 2 else has_label_weight.unsqueeze(-1)))
        return masks

    def compute_task_losses(
        self, outputs: Sequence[HeadOutput | None], batch: Batch, masks: Sequence[torch.Tensor]
    ) -> TaskLosses:
        """Compute the loss of every task with a label in the batch.

        Raises:
            NonFiniteLossError: If a loss is not finite.
        """
        groups = zip(self.group_losses, outputs, batch.targets, masks, batch.weights, strict=True)
        sums = [
            LossSums.zeros(mask.shape[1], mask.device)
            if output is None
            else loss.compute_sums(output.outputs, targets, mask, weights, batch.is_duplicated)
            for loss, output, targets, mask, weights in groups
        ]
        losses = LossSums.concatenate(sums).all_reduce(self._distributed).compute_means()
        if not torch.isfinite(losses.values).all():
            raise self._build_non_finite_error(losses, outputs, batch, masks)
        return losses

    def _build_non_finite_error(
        self, losses: TaskLosses, outputs: Sequence[HeadOutput | None], batch: Batch, masks: Sequence[torch.Tensor]
    ) -> NonFiniteLossError:
        """Build the error with the task and the examples of the non-finite loss."""
        task = int(losses.tasks[~torch.isfinite(losses.values)][0])
        group_index = next(index for index, end in enumerate(self._group_ends) if task < end)
        output = outputs[group_index]
        if output is None:  # the examples are in the shard of another rank
            return NonFiniteLossError(self.names[task], [])
        non_finite = self.group_losses[group_index].find_non_finite(
            output.outputs, batch.targets[group_index], masks[group_index]
        )
        column = task - self._group_ends[group_index]  # negative: counted from the last task of the group
        return NonFiniteLossError(self.names[task], non_finite[:, column].nonzero()[:, 0].tolist())

    @property
    def group_losses(self) -> list[GroupLoss]:
        """The loss of each head group, with its type."""
        return [loss for loss in self.losses if isinstance(loss, GroupLoss)]

    def compute_total(self, losses: TaskLosses) -> torch.Tensor:
        """Combine task losses into the scalar that is minimised, unless the weighting balances gradients."""
        main, extra_loss = self._split_auxiliary(losses)
        if not len(main.values):
            return losses.values.new_zeros(()) if extra_loss is None else extra_loss
        total: torch.Tensor = self.weighting(main)
        return total if extra_loss is None else total + extra_loss

    def backward(self, losses: TaskLosses, regularization_loss: torch.Tensor | None, gradients: StepGradients) -> None:
        """Compute the gradients of all parameters.

        Args:
            losses: The losses of the tasks with a label in the batch.
            regularization_loss: The regularization loss of the architecture, a scalar tensor.
            gradients: Computes the gradients.
        """
        main, extra_loss = self._split_auxiliary(losses)
        if regularization_loss is not None:
            regularization_loss = regularization_loss / self._distributed.world_size  # every rank adds the full value
            extra_loss = regularization_loss if extra_loss is None else extra_loss + regularization_loss
        if len(main.values):
            self.weighting.backward(main, extra_loss, gradients)
        elif extra_loss is not None:
            gradients.backward(extra_loss)

    def on_step_end(self, recompute_losses: Callable[[], TaskLosses]) -> None:
        """Update the weighting at the end of a step."""
        self.weighting.on_step_end(lambda: self._split_auxiliary(recompute_losses())[0])

    def _split_auxiliary(self, losses: TaskLosses) -> tuple[TaskLosses, torch.Tensor | None]:
        """Return the losses of the main tasks, and the weighted sum of the auxiliary losses."""
        if not self._auxiliary_specs:
            return losses, None
        is_auxiliary = losses.tasks >= self._n_main
        weights = torch.tensor(self._weights, device=losses.values.device)[losses.tasks[is_auxiliary]]
        return losses.select_first(self._n_main), (losses.values[is_auxiliary] * weights).sum()


def _validate_mask(mask: torch.Tensor, targets: torch.Tensor, dimensions: int) -> torch.Tensor:
    """Validate dtype and shape of the result of a loss mask."""
    expected = tuple(targets.shape[:dimensions])
    if mask.dtype != torch.bool or mask.shape != expected:
        dimension_names = "(batch, tasks)" if dimensions == 2 else "(batch, tasks, length)"
        raise MtlError(
            f"a loss mask returned {mask.dtype} of shape {tuple(mask.shape)}, "
            f"expected torch.bool of shape {expected}: {dimension_names}"
        )
    return mask
