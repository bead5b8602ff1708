"""FairGrad."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from mtl_torchjd.aggregator_spec import EXTRA, StatelessSpec

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class FairGrad(StatelessSpec):
    """Fair resource allocation (FairGrad; Ban and Ji, 2024): the weights solve `G w = w ** (-1 / alpha)`.

    `G` is the Gramian of the gradients, so `G w` is the rate at which each loss decreases.
    """

    type: Literal["fairgrad"] = "fairgrad"
    modules: ClassVar[Mapping[str, str]] = {"scipy": EXTRA}
    alpha: NonNegativeFloat = 1.0
    """Fairness: 0 is the mean gradient, 1 is proportional fairness, larger values favour the slowest task."""
    max_iters: PositiveInt | None = None
    """Maximum number of evaluations of the solver; null is 100 per task."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.FairGrad(self.alpha, self.max_iters)
