"""The weighting behind all aggregators."""

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
    """Gradients of which no step can be made. Training ends as it does with a loss that is not finite.

    Args:
        what: What was met.
    """

    def __init__(self, what: str) -> None:
        MtlError.__init__(self, what)
        self.task, self.places = "", []


class GradientAggregation(StaticSum):
    """Gives shared parameters a gradient that a rule makes of the tasks' gradients.

    Everything else gets the gradient of the weighted sum of the losses, which is also what `forward` gives: tasks'
    own parameters have but one task to please. Auxiliary tasks and penalties are added afterwards.

    Args:
        name: The type in the experiment.
        tasks: The tasks' names.
        weights: Each task's declared weight. Its gradient is multiplied by it before gradients are combined.
        rule: Combines.
    """

    def __init__(self, name: str, tasks: Sequence[str], weights: Sequence[float], rule: Rule) -> None:
        super().__init__(weights)
        self.rule = rule
        self._name, self._tasks = name, list(tasks)
        self._seed = 0

    def at(self, step: int, total: int, seed: int) -> None:
        """Take the seed of the step's random draws."""
        self._seed = seed

    def backward(self, losses: TaskLosses, extra: torch.Tensor | None, gradients: StepGradients) -> None:
        """Pass each loss backward, and combine.

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
        # What the solvers raise: NumPy's and torch's linear algebra, quadprog, cvxpy.
        except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
            self._refuse_rows(rows, tasks)
            raise AggregationError(f"weighting '{self._name}': no step can be found: {error}") from error
        if not combined.gradient.sum().isfinite():  # faster than a look at each number
            self._refuse_rows(rows, tasks)
            raise AggregationError(f"weighting '{self._name}': the step is not finite")
        return combined

    def _refuse_rows(self, rows: torch.Tensor, tasks: torch.Tensor) -> None:
        for row, task in zip(rows, tasks.tolist(), strict=True):
            if not torch.isfinite(row).all():
                raise AggregationError(f"the gradient of task '{self._tasks[task]}' is not finite")


@contextmanager
def drawing_from(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators inside; afterwards they stand where they stood."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` takes ten times as long
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield
