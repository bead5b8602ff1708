"""The weighting module of all aggregators."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch

from mtl_core import LossSum, MtlError
from mtl_core.training import NonFiniteLossError, TaskGradients, TaskLosses
from mtl_torchjd.rule import AggregationResult, AggregationRule

GradientLocation = Literal["parameters", "features"]


class AggregationError(NonFiniteLossError):
    """Gradients cannot be aggregated. Training stops as for a non-finite loss.

    Args:
        message: The error message.
    """

    def __init__(self, message: str) -> None:
        MtlError.__init__(self, message)
        self.task, self.indices = "", []


class GradientAggregation(LossSum):
    """Aggregation of the tasks' gradients of the shared parameters by a rule.

    All other parameters get the gradient of the weighted sum of the losses, which `forward` returns, since
    task-specific parameters have no conflicts. The gradients of auxiliary tasks and of regularization losses are
    added.

    Args:
        name: The `type` of the weighting in the experiment, for messages.
        tasks: The tasks' names.
        weights: Each task's declared weight. Its gradient is multiplied by it before aggregation.
        rule: The rule that combines the gradients.
        location: Whether the rule combines gradients of the shared parameters, or gradients at the features.
    """

    def __init__(
        self,
        name: str,
        tasks: Sequence[str],
        weights: Sequence[float],
        rule: AggregationRule,
        location: GradientLocation = "parameters",
    ) -> None:
        super().__init__(weights)
        self.rule = rule
        self._location = location
        self._name, self._tasks = name, list(tasks)
        self._seed = 0

    def on_step_start(self, step: int, total: int, seed: int) -> None:
        """Store the seed for the step's random numbers."""
        self._seed = seed

    def backward(self, losses: TaskLosses, extra_loss: torch.Tensor | None, gradients: TaskGradients) -> None:
        """Compute the gradient of each loss, and combine the gradients.

        Raises:
            AggregationError: If a gradient is not finite, or the rule finds no solution.
        """
        if extra_loss is not None:
            gradients.backward(extra_loss, retain_graph=True)
        task_weights = self.weights[losses.tasks]
        values = losses.values * task_weights
        if self._location == "features":
            combined = self._combine_seeded(
                self._compute_feature_gradients(values, losses.tasks, gradients), losses.tasks
            )
            gradients.accumulate_feature_grad(combined.gradient)
        else:
            combined = self._combine_seeded(gradients.backward_each(values, losses.tasks), losses.tasks)
            gradients.accumulate_shared_grad(combined.gradient)
        if combined.weights is not None:
            gradients.set_loss_weights(task_weights * combined.weights)

    def _compute_feature_gradients(
        self, values: torch.Tensor, tasks: torch.Tensor, gradients: TaskGradients
    ) -> torch.Tensor:
        try:
            return gradients.backward_to_features(values, tasks)
        except MtlError as error:
            raise MtlError(f"weighting.gradients: {error}; expected `parameters`, found `features`") from error

    def _combine_seeded(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        with torch.no_grad(), fork_rng_with_seed(self._seed, jacobian.device):
            return self._combine(jacobian, tasks)

    def _combine(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        try:
            combined: AggregationResult = self.rule(jacobian, tasks)
        # Exceptions of the solvers: linear algebra of NumPy and torch, quadprog, cvxpy.
        except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
            self._check_rows_finite(jacobian, tasks)
            raise AggregationError(f"weighting '{self._name}': gradients cannot be aggregated: {error}") from error
        if not combined.gradient.sum().isfinite():  # faster than checking each number
            self._check_rows_finite(jacobian, tasks)
            raise AggregationError(f"weighting '{self._name}': the aggregated gradient is not finite")
        return combined

    def _check_rows_finite(self, jacobian: torch.Tensor, tasks: torch.Tensor) -> None:
        for row, task in zip(jacobian, tasks.tolist(), strict=True):
            if not torch.isfinite(row).all():
                raise AggregationError(f"the gradient of task '{self._tasks[task]}' is not finite")


@contextmanager
def fork_rng_with_seed(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators, and restore their state on exit."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` is ten times slower
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
