"""Task losses without a network, as the loss computation of a batch returns them."""

from collections.abc import Sequence

import torch

from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting


def build_task_losses(
    values: Sequence[float], tasks: Sequence[int] | None = None, n_tasks: int | None = None
) -> TaskLosses:
    """Build the losses of some tasks, each with one label."""
    task_indices = list(range(len(values)) if tasks is None else tasks)
    counts = torch.zeros(n_tasks or max(task_indices) + 1, dtype=torch.int64)
    counts[task_indices] = 1
    return TaskLosses(torch.tensor(values, requires_grad=True), torch.tensor(task_indices), counts)


def compute_loss_weights(weighting: Weighting, losses: TaskLosses) -> list[float]:
    """Return the effective weight of each loss: the gradient of the total with respect to it."""
    [gradient] = torch.autograd.grad(weighting(losses), [losses.values])
    return gradient.tolist()
