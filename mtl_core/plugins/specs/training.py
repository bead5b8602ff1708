"""Specs of training: weightings, optimizers, schedules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.spec import Spec

if TYPE_CHECKING:
    import torch

    from mtl_core.training.weighting import Weighting


@spec_base("weightings")
class WeightingSpec(Spec):
    """Spec of a weighting, which combines the losses of the tasks, or their gradients, into one step."""

    balances_gradients: ClassVar[bool] = False
    """Whether it compares the tasks' gradients with respect to shared parameters."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules, each with its `pip install` argument. A run fails if one is missing."""
        return {}

    @abstractmethod
    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build a module from `TaskLosses` to a scalar.

        Args:
            tasks: The names of the tasks, in the order of the losses.
            weights: The `weight` of each task in the experiment.
        """


@spec_base("optimizers")
class OptimizerSpec(Spec):
    """Spec of a torch optimizer."""

    @abstractmethod
    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """Build the optimizer."""


@spec_base("schedules")
class ScheduleSpec(Spec):
    """Spec of a schedule of a learning rate, or of an auxiliary task's weight, over the steps of a run."""

    @abstractmethod
    def compute_factor(self, step: int, total: int) -> float:
        """Return the factor that the learning rate (or weight) is multiplied with.

        Args:
            step: The next step, counted from 0.
            total: The number of steps of the run.
        """
