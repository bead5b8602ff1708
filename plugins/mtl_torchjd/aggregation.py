"""The weighting module of all aggregators."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from mtl_core import MtlError
from mtl_core.builtins.weighting_modules.sums import StaticSum
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.not_finite import NotFiniteError
from mtl_torchjd.rules import Combined, Rule


class AggregationError(NotFiniteError):
    """Gradients cannot be aggregated. Training stops as for a non-finite loss.

    Args:
        what: The error message.
    """

    def __init__(self, what: str) -> None:
        MtlError.__init__(self, what)
        self.task, self.places = "", []


class GradientAggregation(StaticSum):
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

    def __init__(self, name: str, tasks: Sequence[str], weights: Sequence[float], rule: Rule) -> None:
        super().__init__(weights)
        self.rule = rule
        self._name, self._tasks = name, list(tasks)
        self._seed = 0

    def at(self, step: int, total: int, seed: int) -> None:
        """Store the seed for the step's random numbers."""
        self._seed = seed

    def backward(self, losses: TaskLosses, extra: torch.Tensor | None, gradients: StepGradients) -> None:
        """Compute the gradient of each loss, and combine the gradients.

        Raises:
            AggregationError: If a gradient is not finite, or the rule finds no solution.
        """
        if extra is not None:
            gradients.backward(extra, keep=True)
        declared = self.weights[losses.tasks]
        rows = gradients.backward_each(losses.values * declared, losses.tasks)
        with torch.no_grad(), drawing_from(self._seed, rows.device):
            combined = self._combined(rows, losses.tasks)
        gradients.give_shared(combined.gradient)
        if combined.weights is not None:
            gradients.count(declared * combined.weights)

    def _combined(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        try:
            combined: Combined = self.rule(rows, tasks)
        # Exceptions of the solvers: linear algebra of NumPy and torch, quadprog, cvxpy.
        except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
            self._refuse_rows(rows, tasks)
            raise AggregationError(f"weighting '{self._name}': gradients cannot be aggregated: {error}") from error
        if not combined.gradient.sum().isfinite():  # faster than checking each number
            self._refuse_rows(rows, tasks)
            raise AggregationError(f"weighting '{self._name}': the aggregated gradient is not finite")
        return combined

    def _refuse_rows(self, rows: torch.Tensor, tasks: torch.Tensor) -> None:
        for row, task in zip(rows, tasks.tolist(), strict=True):
            if not torch.isfinite(row).all():
                raise AggregationError(f"the gradient of task '{self._tasks[task]}' is not finite")


@contextmanager
def drawing_from(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators, and restore their state on exit."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` is ten times slower
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
