"""The weighting module of all aggregators."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from mtl_core import LossSum, MtlError
from mtl_core.training import NonFiniteLossError, TaskGradients, TaskLosses
from mtl_torchjd.rule import AggregationResult, AggregationRule


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
    """

    def __init__(self, name: str, tasks: Sequence[str], weights: Sequence[float], rule: AggregationRule) -> None:
        super().__init__(weights)
        self.rule = rule
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
        jacobian = gradients.backward_each(losses.values * task_weights, losses.tasks)
        with torch.no_grad(), fork_rng_with_seed(self._seed, jacobian.device):
            combined = self._combine(jacobian, losses.tasks)
        gradients.accumulate_shared_grad(combined.gradient)
        if combined.weights is not None:
            gradients.set_loss_weights(task_weights * combined.weights)

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
