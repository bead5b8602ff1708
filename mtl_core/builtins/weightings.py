"""Ways to make one step of many losses. In each, a task's declared `weight` says how much it counts beside others.

None of them looks at a task that has no label in the batch, and what a weighting remembers of a task changes only
where the task has labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class Static(WeightingSpec):
    """The sum of the losses of the tasks that have labels in the batch, each times its task's weight."""

    type: Literal["static"] = "static"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the sum."""
        from mtl_core.builtins.weighting_modules.sums import StaticSum

        return StaticSum(weights)


class ByLabels(WeightingSpec):
    """The mean loss over all labels of the batch, whichever task they belong to, times the task's weight.

    A task counts as much as it has labels; `static` lets every task count alike.
    """

    type: Literal["by-labels"] = "by-labels"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the mean."""
        from mtl_core.builtins.weighting_modules.sums import LabelMean

        return LabelMean(weights)


class Geometric(WeightingSpec):
    """The geometric mean of the losses (Chennupati et al., 2019), with the tasks' weights as exponents.

    `prod(L_t ** w_t) ** (1 / sum(w_t))`: the direction of the step does not depend on the scale of any loss. Losses
    must be positive; below 1e-8 they count as that.
    """

    type: Literal["geometric"] = "geometric"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the mean."""
        from mtl_core.builtins.weighting_modules.sums import GeometricMean

        return GeometricMean(weights)


class SmoothTchebycheff(WeightingSpec):
    """A smooth maximum of the weighted losses (Lin et al., 2024): the worst task counts most.

    `mu * log(sum(exp(w_t * (L_t - ideal_t) / mu)))`. Unlike a sum, it can reach every trade-off between the tasks,
    by their weights.
    """

    type: Literal["smooth-tchebycheff"] = "smooth-tchebycheff"
    mu: PositiveFloat = 1.0
    """How smooth it is: near 0 only the worst task counts, the larger the more it is like the sum."""
    ideal: dict[str, float] = Field(default_factory=dict)
    """The loss that a task has at best, by its name; 0 for those that are not named."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the maximum.

        Raises:
            MtlError: If there is an ideal for a task that does not exist.
        """
        from mtl_core.builtins.weighting_modules.smooth_tchebycheff import SmoothMaximum

        for name in self.ideal:
            if name not in tasks:
                raise MtlError(
                    f"weighting.ideal: there is no main task '{name}'{did_you_mean(name, tasks)} "
                    f"(main tasks: {listed(tasks)})"
                )
        return SmoothMaximum(weights, [self.ideal.get(task, 0.0) for task in tasks], self.mu)


class Random(WeightingSpec):
    """Random weights, drawn for every step (RLW; Lin et al., 2022): a baseline for weightings that claim to help.

    The softmax of standard normal draws, times the number of tasks in the batch and each task's own weight: 1 on
    average, as in `static`. Draws come from the run's seed.
    """

    type: Literal["random"] = "random"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the weights."""
        from mtl_core.builtins.weighting_modules.random_weights import RandomWeights

        return RandomWeights(tasks, weights)


class Uncertainty(WeightingSpec):
    """Losses divided by variances that are learned with the network (Kendall, Gal and Cipolla, 2018).

    `sum(w_t * (exp(-s_t) * L_t + s_t))`, where `s_t`, the logarithm of a variance, is a parameter that begins at
    0, so that training begins as with `static`. It ends at `log(L_t)`, where the task counts `w_t / L_t`. This is
    twice the paper's form for regression. The one for classification has another factor at the loss, which moves
    `s_t` by `log(2)` and leaves the same weight in the end, so one form serves all kinds of tasks.
    """

    type: Literal["uncertainty"] = "uncertainty"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the weighting and its parameters."""
        from mtl_core.builtins.weighting_modules.uncertainty import LearnedUncertainty

        return LearnedUncertainty(weights)


class DynamicWeightAverage(WeightingSpec):
    """More weight for tasks whose losses fall more slowly (DWA; Liu, Johns and Davison, 2019).

    From the third epoch on, the softmax of `L_t(last epoch) / L_t(the one before) / temperature`, times the number
    of tasks and each task's own weight; 1 times that weight until then. A task without labels in an epoch keeps
    what is known of it.
    """

    type: Literal["dwa"] = "dwa"
    temperature: PositiveFloat = 2.0
    """How even the weights are: near 0 only the slowest task counts, the larger the more alike they are."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the weighting."""
        from mtl_core.builtins.weighting_modules.dynamic_average import DynamicAverage

        return DynamicAverage(weights, self.temperature)


class GradNorm(WeightingSpec):
    """Gradients of all tasks brought to comparable norms (Chen et al., 2018), at the last shared layer.

    Each task has a factor `f_t`, at first 1. With `g_t` the norm of its gradient times `f_t`, and `r_t` its loss
    over its first one, relative to the mean of that over tasks, `sum(|g_t - mean(g) * r_t ** alpha|)` is made
    smaller by Adam; factors are then brought back to their sum, the number of tasks. A task's weight multiplies
    its loss besides, so a task of weight 2 keeps twice the norm of others. Every step needs a backward pass to that
    layer for every task in the batch.
    """

    type: Literal["gradnorm"] = "gradnorm"
    balances_gradients: ClassVar[bool] = True
    alpha: NonNegativeFloat = 1.5
    """How far tasks that learn more slowly than others are favoured; 0 gives all the same norm."""
    lr: PositiveFloat = 0.025
    """Learning rate of the factors."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the weighting."""
        from mtl_core.builtins.weighting_modules.gradnorm import GradientNorms

        return GradientNorms(weights, self.alpha, self.lr)


class FAMO(WeightingSpec):
    """Losses that fall at the same relative pace (fast adaptive multitask optimisation; Liu et al., 2023).

    A step minimises `c * sum(z_t * log(L_t))`, where `c` makes the weights of the losses sum to 1 and `z` is the
    softmax of logits. Adam then lowers the logits of tasks whose `log(L_t)` fell faster. A task's weight multiplies
    its `z_t` and divides its fall: at weight 2, a loss is to fall twice as fast. Losses must be positive; below
    1e-8 they count as that.

    How much a loss fell is seen on the next batch that has labels of the task, whose losses are computed anyway.
    Batches differ, but from step to step what one batch adds the next takes away again. The published form,
    `same_batch`, runs the network on the same batch once more after every step.
    """

    type: Literal["famo"] = "famo"
    lr: PositiveFloat = 0.025
    """Learning rate of the logits."""
    gamma: NonNegativeFloat = 0.01
    """How strongly logits are drawn back to 0, where all tasks count alike."""
    same_batch: bool = False
    """Whether a step's effect is seen on its own batch, as published, at the cost of one more forward pass."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Make the weighting."""
        from mtl_core.builtins.weighting_modules.famo import EvenProgress

        return EvenProgress(weights, self.lr, self.gamma, self.same_batch)
