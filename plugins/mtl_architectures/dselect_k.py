"""The spec of DSelect-k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mtl_core import ArchitectureSpec

if TYPE_CHECKING:
    from mtl_core.nn import Architecture, NetworkParts


class DSelectK(ArchitectureSpec):
    """DSelect-k: each task learns which k of the experts it reads (Hazimeh et al., NeurIPS 2021).

    A gate has k selectors. A selector encodes the number of an expert in binary; a smooth step function of a learned
    number is the value of each binary digit, so that a selector can reach exactly one expert, and gradients choose it.
    Once all digits are 0 or 1, at most `k` experts of a task have a weight above 0.

    In difference from the paper, the codes beyond the last expert belong to the first experts if the number of experts
    is no power of two; the weights then sum to 1 without a further penalty.

    Example:
        >>> DSelectK(experts=8, k=2).type
        'dselect-k'
    """

    type: Literal["dselect-k"] = "dselect-k"
    experts: PositiveInt = 4
    """Number of backbones."""
    k: PositiveInt = 2
    """Number of experts that a task selects at most."""
    per_example: bool = False
    """Compute the selection from the mean of an example's input features, instead of learning one per task."""
    entropy: NonNegativeFloat = 0.01
    """Factor of the selectors' entropy in the loss, which pushes each selector towards one expert."""
    gamma: PositiveFloat = 1.0
    """Width of the smooth step: a digit is 0 or 1 once its number is half this far from 0."""

    @model_validator(mode="after")
    def _validate_k(self) -> DSelectK:
        if self.k > self.experts:
            raise ValueError(f"k is {self.k}, expected at most the number of experts, {self.experts}")
        return self

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the experts and one gate per task."""
        from mtl_architectures.dselect_k_module import SelectedExperts

        return SelectedExperts(parts, tasks, self.experts, self.k, self.per_example, self.entropy, self.gamma)
