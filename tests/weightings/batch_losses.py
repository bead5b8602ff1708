"""Losses without a network behind them, as a batch would give them."""

from collections.abc import Sequence

import torch

from mtl_core.training.losses import TaskLosses
from mtl_core.training.weighting import Weighting


def batch_losses(
    values: Sequence[float], tasks: Sequence[int] | None = None, known: int | None = None
) -> TaskLosses:
    """The losses of some tasks, each with one label."""
    places = list(range(len(values)) if tasks is None else tasks)
    counts = torch.zeros(known or max(places) + 1, dtype=torch.int64)
    counts[places] = 1
    return TaskLosses(torch.tensor(values, requires_grad=True), torch.tensor(places), counts)


def influence(weighting: Weighting, losses: TaskLosses) -> list[float]:
    """What each loss counts: the slope of the total."""
    [slope] = torch.autograd.grad(weighting(losses), [losses.values])
    return slope.tolist()
