"""Aggregators that balance the progress of all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from mtl_torchjd.aggregator_spec import EXTRA, AggregatorSpec, StatelessSpec
from mtl_torchjd.cones import PreferenceSpec, normalize_preferences

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator

    from mtl_torchjd.rules import AggregationRule


class IMTLG(StatelessSpec):
    """Impartial multi-task learning by gradients (IMTL-G; Liu et al., 2021).

    The weights sum to 1, and the projections of the aggregated gradient onto all tasks' gradients are equal.
    Weights can be negative.
    """

    type: Literal["imtl-g"] = "imtl-g"

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.IMTLG()


class AlignedMTL(PreferenceSpec):
    """Independent component alignment (Aligned-MTL; Senushkin et al., 2023).

    The gradients are made orthogonal and equally long with the least change; the result is their mean.
    """

    type: Literal["aligned-mtl"] = "aligned-mtl"
    scale_mode: Literal["min", "median", "rmse"] = "min"
    """That length: the minimum, median or root mean square of the singular values of the Jacobian."""

    def build_aggregator(self, n_tasks: int, task_values: Tensor | None) -> Aggregator:
        """Build TorchJD's aggregator."""
        from torchjd import aggregation

        return aggregation.AlignedMTL(normalize_preferences(task_values), self.scale_mode)


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


class NashMTL(AggregatorSpec):
    """Multi-task learning as a bargaining game (Nash-MTL; Navon et al., 2022): weights that solve `G w = 1 / w`.

    `G` is the Gramian of the gradients. The solver starts from the last weights of each task.
    """

    type: Literal["nash-mtl"] = "nash-mtl"
    modules: ClassVar[Mapping[str, str]] = {"cvxpy": EXTRA, "ecos": "'torchjd[nash_mtl]'"}
    max_norm: NonNegativeFloat = 1.0
    """Maximum norm of the aggregated gradient; 0 for no maximum."""
    update_weights_every: PositiveInt = 1
    """Number of steps between two updates of the weights."""
    optim_niter: PositiveInt = 20
    """Maximum number of iterations of the solver."""

    def build_rule(self, tasks: Sequence[str]) -> AggregationRule:
        """Build the rule with its state."""
        from mtl_torchjd.nash_rule import NashMTLRule

        return NashMTLRule(len(tasks), self.max_norm, self.update_weights_every, self.optim_niter)
