"""The seam where many losses become one step."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import nn

from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses


class Weighting(nn.Module):
    """Combines the losses of the main tasks. A task without labels in the batch is not among them.

    Most weightings are a `forward` and nothing else. What they learn by gradients are parameters, which the run's
    optimizer moves without weight decay; what they remember are buffers; both are saved in checkpoints, so that a
    run that was cut off goes on with them.
    """

    @abstractmethod
    def forward(self, losses: TaskLosses) -> torch.Tensor:
        """Give the scalar that is minimised."""

    def at(self, step: int, total: int, seed: int) -> None:
        """Be told where the run stands.

        Args:
            step: The step that is about to be taken, counted from 0.
            total: The number of steps that the run has.
            seed: For random draws in this step; the same in every process of the run.
        """

    def backward(self, losses: TaskLosses, extra: torch.Tensor | None, gradients: StepGradients) -> None:
        """Give every parameter its gradient; a weighting that balances gradients does so here.

        Args:
            losses: Those of the main tasks.
            extra: What is minimised besides, and is not weighed: auxiliary tasks, penalties; None for nothing.
            gradients: Passes backward through the batch.
        """
        total = self(losses)
        gradients.backward(total if extra is None else total + extra)

    def stepped(self, again: Callable[[], TaskLosses]) -> None:
        """Be told that the network has moved.

        Args:
            again: Computes the losses of the same batch once more, without gradients: one forward pass.
        """

    def epoch_done(self, means: Sequence[float | None]) -> None:
        """Be told that an epoch is over.

        Args:
            means: Each task's mean loss a label in it; None for a task that had no label.
        """
