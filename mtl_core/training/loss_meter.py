"""Mean losses and loss weights of an epoch."""

from collections.abc import Mapping, Sequence

import torch

from mtl_core.training.losses import TaskLosses


class LossMeter:
    """Accumulates the mean loss per label of each task over an epoch, and the weight of its loss per step.

    Args:
        names: The task names, in the order of the losses.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.totals = torch.zeros(len(names), dtype=torch.float64)
        self.counts = torch.zeros(len(names), dtype=torch.int64)
        self.weights = torch.zeros(len(names), dtype=torch.float64)
        self.steps = torch.zeros(len(names), dtype=torch.int64)

    def add(self, losses: TaskLosses) -> None:
        """Add the losses of a batch after its step."""
        counts = losses.counts.cpu()
        active = losses.tasks.cpu()
        self.totals.index_add_(0, active, losses.values.detach().cpu().double() * counts[active])
        self.counts += counts
        if losses.values.grad is not None:
            self.weights.index_add_(0, active, losses.values.grad.cpu().double())
            self.steps.index_add_(0, active, torch.ones_like(active))

    def compute_means(self) -> dict[str, float | None]:
        """Return the mean loss per label of each task; None for a task without labels."""
        return self._divide(self.totals, self.counts)

    def compute_mean_weights(self) -> dict[str, float | None]:
        """Return the mean weight of each task's loss per step; empty if it is unknown for all tasks."""
        return self._divide(self.weights, self.steps) if self.steps.any() else {}

    def get_tensors(self) -> dict[str, torch.Tensor]:
        """Return the accumulated sums for a checkpoint."""
        return {
            "meter.totals": self.totals,
            "meter.counts": self.counts,
            "meter.weights": self.weights,
            "meter.steps": self.steps,
        }

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Load the accumulated sums from a checkpoint."""
        self.totals, self.counts = tensors["meter.totals"], tensors["meter.counts"]
        self.weights, self.steps = tensors["meter.weights"], tensors["meter.steps"]

    def _divide(self, sums: torch.Tensor, counts: torch.Tensor) -> dict[str, float | None]:
        return {
            name: total / count if count else None
            for name, total, count in zip(self.names, sums.tolist(), counts.tolist(), strict=True)
        }
