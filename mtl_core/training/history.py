"""Results of an epoch: losses, weights and validation metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from mtl_core.training.losses import TaskLosses


@dataclass(frozen=True)
class EpochRecord:
    """One row of `history.csv`.

    Attributes:
        epoch: The epoch, counted from 1.
        learning_rate: The learning rate of the last step of the epoch.
        losses: Mapping of task name to mean training loss per label; None for a task without labels.
        weights: Mapping of task name to the mean weight of its loss over the steps with a label for it; None for a
            task without labels, or if the weighting balances gradients instead of losses.
        validation: Mapping of metric name to value (`overall.accuracy`, `food.accuracy`); None if undefined.
        score: The metric that selects the best epoch; None without validation data.
    """

    epoch: int
    learning_rate: float
    losses: Mapping[str, float | None]
    validation: Mapping[str, float | None] = field(default_factory=dict)
    score: float | None = None
    weights: Mapping[str, float | None] = field(default_factory=dict)

    def to_row(self) -> dict[str, float | int | None]:
        """Return the record as a flat mapping of column to value."""
        return {
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            **{f"train.{task}.loss": value for task, value in self.losses.items()},
            **{f"train.{task}.weight": value for task, value in self.weights.items()},
            **{f"validation.{name}": value for name, value in self.validation.items()},
        }


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
        self.totals[active] += losses.values.detach().cpu().double() * counts[active]
        self.counts += counts
        if losses.values.grad is not None:
            self.weights[active] += losses.values.grad.cpu().double()
            self.steps[active] += 1

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
