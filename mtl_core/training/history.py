"""What an epoch brought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from mtl_core.training.losses import TaskLosses


@dataclass(frozen=True)
class EpochRecord:
    """One line of `history.csv`.

    Attributes:
        epoch: Counted from 1.
        learning_rate: At the epoch's last step.
        losses: Task name to its mean training loss a label; None if it had no label.
        weights: Task name to what its loss counted in the total, the mean over the steps with a label for it; None
            if it had none, or if gradients are balanced instead of losses.
        validation: Name of a figure to its value (`overall.accuracy`, `food.accuracy`); None if undefined.
        score: The figure that selection looks at; None without validation data.
    """

    epoch: int
    learning_rate: float
    losses: Mapping[str, float | None]
    validation: Mapping[str, float | None] = field(default_factory=dict)
    score: float | None = None
    weights: Mapping[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, float | int | None]:
        """The record as one flat line."""
        return {
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            **{f"train.{task}.loss": value for task, value in self.losses.items()},
            **{f"train.{task}.weight": value for task, value in self.weights.items()},
            **{f"validation.{name}": value for name, value in self.validation.items()},
        }


class LossMeter:
    """Sums each task's loss over an epoch, weighted by its labels, and what its loss counted in the steps.

    Args:
        names: The tasks, in the order of the losses.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.totals = torch.zeros(len(names), dtype=torch.float64)
        self.counts = torch.zeros(len(names), dtype=torch.int64)
        self.weights = torch.zeros(len(names), dtype=torch.float64)
        self.steps = torch.zeros(len(names), dtype=torch.int64)

    def add(self, losses: TaskLosses) -> None:
        """Take one batch in, after its step."""
        counts = losses.counts.cpu()
        active = losses.tasks.cpu()
        self.totals[active] += losses.values.detach().cpu().double() * counts[active]
        self.counts += counts
        if losses.values.grad is not None:
            self.weights[active] += losses.values.grad.cpu().double()
            self.steps[active] += 1

    def means(self) -> dict[str, float | None]:
        """Mean loss a label, None for a task without labels."""
        return self._means(self.totals, self.counts)

    def mean_weights(self) -> dict[str, float | None]:
        """What a task's loss counted in a step, on average; empty if that is not known of any task."""
        return self._means(self.weights, self.steps) if self.steps.any() else {}

    def tensors(self) -> dict[str, torch.Tensor]:
        """What it has summed up, for a checkpoint."""
        return {
            "meter.totals": self.totals,
            "meter.counts": self.counts,
            "meter.weights": self.weights,
            "meter.steps": self.steps,
        }

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on from a checkpoint."""
        self.totals, self.counts = tensors["meter.totals"], tensors["meter.counts"]
        self.weights, self.steps = tensors["meter.weights"], tensors["meter.steps"]

    def _means(self, sums: torch.Tensor, counts: torch.Tensor) -> dict[str, float | None]:
        return {
            name: total / count if count else None
            for name, total, count in zip(self.names, sums.tolist(), counts.tolist(), strict=True)
        }
