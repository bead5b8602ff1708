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
        validation: Name of a figure to its value (`overall.accuracy`, `food.accuracy`); None if undefined.
        score: The figure that selection looks at; None without validation data.
    """

    epoch: int
    learning_rate: float
    losses: Mapping[str, float | None]
    validation: Mapping[str, float | None] = field(default_factory=dict)
    score: float | None = None

    def row(self) -> dict[str, float | int | None]:
        """The record as one flat line."""
        return {
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            **{f"train.{task}.loss": value for task, value in self.losses.items()},
            **{f"validation.{name}": value for name, value in self.validation.items()},
        }


class LossMeter:
    """Sums each task's loss over an epoch, weighted by its labels.

    Args:
        names: The tasks, in the order of the losses.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.totals = torch.zeros(len(names), dtype=torch.float64)
        self.counts = torch.zeros(len(names), dtype=torch.int64)

    def add(self, losses: TaskLosses) -> None:
        """Take one batch in."""
        counts = losses.counts.cpu()
        active = losses.tasks.cpu()
        self.totals[active] += losses.values.detach().cpu().double() * counts[active]
        self.counts += counts

    def means(self) -> dict[str, float | None]:
        """Mean loss a label, None for a task without labels."""
        return {
            name: total / count if count else None
            for name, total, count in zip(self.names, self.totals.tolist(), self.counts.tolist(), strict=True)
        }
