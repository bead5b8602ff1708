"""A weighting: correct, or with the fault that `wrong` names."""

import random
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch

from mtl_core import WeightingSpec
from mtl_core.training.losses import TaskLosses
from mtl_core.training.task_gradients import TaskGradients
from mtl_core.training.weighting import Weighting


class WrongWeighting(WeightingSpec):
    """A weighted sum."""

    type: Literal["wrong-weighting"] = "wrong-weighting"
    wrong: str = ""
    """Its fault."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        return _Sum(weights, self.wrong)


class _Sum(Weighting):
    weights: torch.Tensor

    def __init__(self, weights: Sequence[float], wrong: str) -> None:
        super().__init__()
        self.wrong, self.steps, self.draw = wrong, 0, 1.0
        self.register_buffer("weights", torch.tensor(weights), persistent=False)
        if wrong == "idle-tasks":  # momentum moves a row of a parameter even if its gradient is 0
            self.logs = torch.nn.Parameter(torch.zeros(len(weights)))

    def on_step_start(self, step: int, total: int, seed: int) -> None:
        if self.wrong == "on-step-start":
            self.draw = float(torch.rand(()))

    def backward(self, losses: TaskLosses, extra_loss: torch.Tensor | None, gradients: TaskGradients) -> None:
        super().backward(losses, None if self.wrong == "backward" else extra_loss, gradients)

    def on_step_end(self, recompute_losses: Callable[[], TaskLosses]) -> None:
        self.steps += self.wrong == "save-and-load"

    def on_epoch_end(self, means: Sequence[float | None]) -> None:
        if self.wrong == "training":
            self.steps = sum(means)  # type: ignore[arg-type]

    def forward(self, losses: TaskLosses) -> torch.Tensor:
        task_weights = self.weights[losses.tasks] * self.draw
        total = (losses.values * task_weights).sum()
        match self.wrong:
            case "scalar":
                return losses.values * task_weights
            case "gradients":
                return -total
            case "task-order":
                return total + losses.values[0]
            case "absent-tasks":
                return total / self.weights.sum()
            case "weight-zero":
                return total + losses.values.sum()
            case "task-weight":
                return (losses.values * (task_weights > 0)).sum()
            case "steps":
                return losses.values.log().sum() + total
            case "seed":
                return total + random.random() * 0 * losses.values.sum() + np.random.random() * losses.values.sum()
            case "idle-tasks":
                logs = self.logs[losses.tasks]
                return (task_weights * (torch.exp(-logs) * losses.values + logs)).sum()
            case "save-and-load":
                return total / (1 + self.steps)
        return total
