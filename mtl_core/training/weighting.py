"""Weightings: the extension point that combines task losses into one training step."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import nn

from mtl_core.training.losses import TaskLosses
from mtl_core.training.task_gradients import TaskGradients


class Weighting(nn.Module):
    """Combines the losses of the main tasks with a label in the batch.

    Most weightings implement only `forward`. Trainable values are parameters, which the optimizer of the run
    updates without weight decay; other state is kept in buffers. Checkpoints contain both.
    """

    @abstractmethod
    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Return the scalar to minimise."""

    def on_step_start(self, step: int, total: int, seed: int) -> None:
        """Handle the start of a step.

        Args:
            step: The step, counted from 0.
            total: The number of steps of the run.
            seed: Seed for random draws in this step, equal on all ranks.
        """

    def backward(self, losses: TaskLosses, extra_loss: torch.Tensor | None, gradients: TaskGradients) -> None:
        """Compute the gradients of all parameters; a weighting that balances gradients overrides this method.

        Args:
            losses: The losses of the main tasks.
            extra_loss: Additional loss without weighting (auxiliary tasks, regularization), a scalar; None for 0.
            gradients: Computes gradients of the batch.
        """
        total = self(losses)
        gradients.backward(total if extra_loss is None else total + extra_loss)

    @property
    def recomputes_losses(self) -> bool:
        """Whether `on_step_end` recomputes the losses; by default, whether the class overrides it."""
        return type(self).on_step_end is not Weighting.on_step_end

    def on_step_end(self, recompute_losses: Callable[[], TaskLosses]) -> None:
        """Handle the end of a step, after the update of the network.

        Args:
            recompute_losses: Recomputes the losses of the batch with one forward pass, without gradients.
        """

    def on_epoch_end(self, means: Sequence[float | None]) -> None:
        """Handle the end of an epoch.

        Args:
            means: The mean loss per label of each task in the epoch; None for a task without labels.
        """
