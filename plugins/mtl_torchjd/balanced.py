"""Aggregators that let all tasks gain alike, in one sense or another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from mtl_torchjd.aggregator_spec import EXTRA, AggregatorSpec, StatelessSpec
from mtl_torchjd.cones import Preferring, mean_of

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator

    from mtl_torchjd.rules import Rule


class IMTLG(StatelessSpec):
    """Impartial multi-task learning by gradients (IMTL-G; Liu et al., 2021).

    The weights sum to 1 and are such that the step's projection on each task's gradient has the same length. Some
    may be negative.
    """

    type: Literal["imtl-g"] = "imtl-g"

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.IMTLG()


class AlignedMTL(Preferring):
    """Independent component alignment (Aligned-MTL; Senushkin et al., 2023).

    The gradients are turned as little as possible so that they are orthogonal and of one length; then their mean is
    taken.
    """

    type: Literal["aligned-mtl"] = "aligned-mtl"
    scale_mode: Literal["min", "median", "rmse"] = "min"
    """That length: the least singular value of the Jacobian, the median one, or their root mean square."""

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.AlignedMTL(mean_of(numbers), self.scale_mode)


class FairGrad(StatelessSpec):
    """Fair resource allocation (FairGrad; Ban and Ji, 2024): the weights solve `G w = w ** (-1 / alpha)`.

    `G` are the products of the gradients, so `G w` says how fast each loss falls.
    """

    type: Literal["fairgrad"] = "fairgrad"
    modules: ClassVar[Mapping[str, str]] = {"scipy": EXTRA}
    alpha: NonNegativeFloat = 1.0
    """What is fair: 0 is the mean gradient, 1 is proportional fairness, large ones favour the slowest task."""
    max_iters: PositiveInt | None = None
    """Evaluations of the solver, at most; null is 100 a task."""

    def aggregator(self, count: int, numbers: Tensor | None) -> Aggregator:
        """Make the aggregator."""
        from torchjd import aggregation

        return aggregation.FairGrad(self.alpha, self.max_iters)


class NashMTL(AggregatorSpec):
    """Multi-task learning as a bargaining game (Nash-MTL; Navon et al., 2022): weights that solve `G w = 1 / w`.

    `G` are the products of the gradients. The last weights of a task are where its next ones are looked for.
    """

    type: Literal["nash-mtl"] = "nash-mtl"
    modules: ClassVar[Mapping[str, str]] = {"cvxpy": EXTRA, "ecos": "'torchjd[nash_mtl]'"}
    max_norm: NonNegativeFloat = 1.0
    """The longest step; 0 for any length."""
    update_weights_every: PositiveInt = 1
    """Weights are found in every so many steps, and kept in between."""
    optim_niter: PositiveInt = 20
    """Rounds of the solver, at most."""

    def rule(self, tasks: Sequence[str]) -> Rule:
        """Make the rule, with what it remembers."""
        from mtl_torchjd.nash_rule import Bargaining

        return Bargaining(len(tasks), self.max_norm, self.update_weights_every, self.optim_niter)
