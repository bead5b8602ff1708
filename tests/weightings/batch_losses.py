"""Task losses without a network, as the loss computation of a batch returns them."""

from collections.abc import Sequence

import torch

from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting


def batch_losses(
    values: Sequence[float], tasks: Sequence[int] | None = None, known: int | None = None
) -> TaskLosses:
    """Build the losses of some tasks, each with one label."""
    places = list(range(len(values)) if tasks is None else tasks)
    counts = torch.zeros(known or max(places) + 1, dtype=torch.int64)
    counts[places] = 1
    return TaskLosses(torch.tensor(values, requires_grad=True), torch.tensor(places), counts)


def influence(weighting: Weighting, losses: TaskLosses) -> list[float]:
    """Return the effective weight of each loss: the gradient of the total with respect to it."""
    [slope] = torch.autograd.grad(weighting(losses), [losses.values])
    return slope.tolist()
