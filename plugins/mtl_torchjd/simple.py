"""Baseline aggregators, and robust aggregators from federated learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from mtl_torchjd.aggregator_spec import StatelessSpec, order_by_task

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class Sum(StatelessSpec):
    """The sum of the gradients: a baseline, equal to the weighting `sum`, which needs only one backward pass."""

    type: Literal["gradient-sum"] = "gradient-sum"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.Sum()


class Mean(StatelessSpec):
    """The mean of the gradients of shared parameters; task-specific parameters as with `sum`."""

    type: Literal["gradient-mean"] = "gradient-mean"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.Mean()


class Constant(StatelessSpec):
    """The weighted sum of the gradients; the weights do not apply to task-specific parameters."""

    type: Literal["constant"] = "constant"
    weights: dict[str, NonNegativeFloat] = {}
    """Task name to the weight of its gradient; 1 for other tasks."""

    def get_task_values(self, tasks: Sequence[str]) -> Sequence[float]:
        """Return the weights."""
        return order_by_task("weights", self.weights, tasks, 1.0)

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        assert task_values is not None  # noqa: S101  see `numbers`
        return aggregation.Constant(task_values)


class RandomGradient(StatelessSpec):
    """A mean of the gradients with random weights, sampled in every step (RLW; Lin et al., 2022).

    The weights are the softmax of standard normal samples, from the run's seed. They do not apply to task-specific
    parameters; `random` weighs losses instead, in one backward pass.
    """

    type: Literal["random-gradient"] = "random-gradient"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.Random()


class Krum(StatelessSpec):
    """The gradient closest to the others (Krum; Blanchard et al., 2017), or the mean of several such gradients.

    Designed for distributed training with Byzantine workers; for tasks it follows the majority. With fewer than
    three gradients it returns the mean.
    """

    type: Literal["krum"] = "krum"
    n_byzantine: NonNegativeInt = 1
    """Number of untrusted (Byzantine) gradients; at most the number of tasks in the batch minus 3."""
    n_selected: PositiveInt = 1
    """Number of selected gradients, which are averaged."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator, with fewer Byzantine gradients if the batch has labels of few tasks."""
        from torchjd import aggregation

        if n_tasks < 3:
            return aggregation.Mean()
        return aggregation.Krum(min(self.n_byzantine, n_tasks - 3), min(self.n_selected, n_tasks))


class TrimmedMean(StatelessSpec):
    """The mean of the gradients per entry, without the largest and smallest values (Yin et al., 2018)."""

    type: Literal["trimmed-mean"] = "trimmed-mean"
    is_weighted_sum: ClassVar[bool] = False
    trim_number: NonNegativeInt = 1
    """Number of values that are trimmed at each end; fewer if the batch has too few tasks."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.TrimmedMean(min(self.trim_number, (n_tasks - 1) // 2))
