"""The spec of AdaShare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mtl_core import ArchitectureSpec, Fraction

if TYPE_CHECKING:
    from mtl_core.nn import Architecture, NetworkParts


class AdaShare(ArchitectureSpec):
    """AdaShare: each task learns which blocks of a shared backbone it executes (Sun et al., NeurIPS 2020).

    The first backbone is the stem, which all tasks execute. Each block is a further backbone whose output is added to
    its input, so that a task can skip it. The policy of a task is the probability that it selects each block. In
    training, decisions are drawn from the Gumbel-softmax distribution, which passes gradients on to the policy; in
    inference, a task executes the blocks with a probability of at least 0.5.

    Training has three phases. Until `warmup`, all tasks execute all blocks. Until `search_end`, weights and policies
    are trained in the same steps, the policy of the last block first, then one block more at a time, down to the first.
    After that, the policy is fixed, and the weights are trained with the decisions of inference.

    In difference from the paper, weights and policies are not trained in alternating steps, the last phase continues
    with the weights instead of new ones, and the two regularization terms are means over tasks and over pairs of tasks,
    so that their factors do not depend on the number of tasks.

    Example:
        >>> AdaShare(blocks=4).type
        'adashare'
    """

    type: Literal["adashare"] = "adashare"
    blocks: PositiveInt = 3
    """Number of blocks; the backbone must return features of the form that it reads."""
    sparsity: NonNegativeFloat = 0.05
    """Factor of the logarithm of a block's probability to be selected: the mean over tasks, summed over blocks."""
    sharing: NonNegativeFloat = 0.05
    """Factor of the difference between the policies of two tasks: the mean over pairs, summed over blocks; the first
    block counts most."""
    warmup: Fraction = 0.1
    """Share of the training steps before policies are trained."""
    search_end: Fraction = 0.7
    """Share of the training steps after which policies are fixed."""
    temperature: PositiveFloat = 5.0
    """Temperature of the Gumbel-softmax distribution at the start; a high one makes decisions soft."""
    final_temperature: PositiveFloat = 0.5
    """Temperature when policies are fixed; it decreases exponentially."""

    @model_validator(mode="after")
    def _validate_phases(self) -> AdaShare:
        if self.search_end < self.warmup:
            raise ValueError(f"search_end is {self.search_end}, expected at least warmup, {self.warmup}")
        return self

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        """Build the stem, the blocks and the policies.

        Raises:
            MtlError: If the backbone does not return features of the form that it reads.
        """
        from mtl_architectures.adashare_module import PolicySchedule, SelectedBlocks

        schedule = PolicySchedule(self.warmup, self.search_end, self.temperature, self.final_temperature)
        return SelectedBlocks(parts, tasks, self.blocks, schedule, self.sparsity, self.sharing)
