"""Nash-MTL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from mtl_torchjd.aggregator_spec import EXTRA, AggregatorSpec

if TYPE_CHECKING:
    from mtl_torchjd.rule import AggregationRule


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
        from mtl_torchjd.nash_mtl_rule import NashMTLRule

        return NashMTLRule(len(tasks), self.max_norm, self.update_weights_every, self.optim_niter)
