"""Loss weightings, which combine the losses of several tasks. A task's `weight` sets its relative importance.

A weighting ignores tasks without labels in the batch. Its state for a task changes only in steps with labels of the
task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import WeightingSpec

if TYPE_CHECKING:
    from mtl_core.training.weighting import Weighting


class WeightedSum(WeightingSpec):
    """Weighted sum of the losses of all tasks with labels in the batch."""

    type: Literal["sum"] = "sum"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighted sum."""
        from mtl_core.builtins.weighting_modules.sums import LossSum

        return LossSum(weights)


class LabelCount(WeightingSpec):
    """Mean loss over all labels of the batch, of any task, times the weight of the task.

    A task's influence is proportional to its number of labels; with `sum`, it is equal for all tasks.
    """

    type: Literal["label-count"] = "label-count"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the mean over labels."""
        from mtl_core.builtins.weighting_modules.sums import LabelMean

        return LabelMean(weights)


class Geometric(WeightingSpec):
    """Geometric mean of the losses (Chennupati et al., 2019), with the tasks' weights as exponents.

    `prod(L_t ** w_t) ** (1 / sum(w_t))`: the direction of the step does not depend on the scale of any loss. Losses
    must be positive; they are clamped to at least 1e-8.
    """

    type: Literal["geometric"] = "geometric"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the geometric mean."""
        from mtl_core.builtins.weighting_modules.sums import GeometricMean

        return GeometricMean(weights)


class SmoothTchebycheff(WeightingSpec):
    """Smooth maximum of the weighted losses (Lin et al., 2024), dominated by the task with the largest loss.

    `mu * log(sum(exp(w_t * (L_t - ideal_t) / mu)))`. Unlike a sum, it can reach every trade-off between the tasks
    by a choice of weights.
    """

    type: Literal["smooth-tchebycheff"] = "smooth-tchebycheff"
    mu: PositiveFloat = 1.0
    """Smoothness: near 0 only the task with the largest loss counts, larger values approach the sum."""
    ideal: dict[str, float] = Field(default_factory=dict)
    """Ideal loss by task name; 0 for tasks that are not listed."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the smooth maximum.

        Raises:
            MtlError: If `ideal` contains an unknown task.
        """
        from mtl_core.builtins.weighting_modules.smooth_tchebycheff import SmoothMaximum

        for name in self.ideal:
            if name not in tasks:
                raise MtlError(
                    f"weighting.ideal: there is no main task '{name}'{did_you_mean(name, tasks)} "
                    f"(main tasks: {join_names(tasks)})"
                )
        return SmoothMaximum(weights, [self.ideal.get(task, 0.0) for task in tasks], self.mu)


class Random(WeightingSpec):
    """Random loss weighting (RLW; Lin et al., 2022), a baseline for other weightings.

    In each step, the factors are the softmax of standard normal samples, times the number of tasks in the batch
    and each task's weight: 1 on average, as in `sum`. Samples depend on the run's seed only.
    """

    type: Literal["random"] = "random"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weighting_modules.random_weights import RandomWeights

        return RandomWeights(tasks, weights)


class Uncertainty(WeightingSpec):
    """Uncertainty weighting: losses divided by learned variances (Kendall, Gal and Cipolla, 2018).

    `sum(w_t * (exp(-s_t) * L_t + s_t))`, where `s_t`, the logarithm of a variance, is a parameter initialised to
    0, so that training starts as with `sum`. It converges to `log(L_t)`, where the task has weight `w_t / L_t`.
    This is twice the paper's form for regression. The form for classification has another factor at the loss, which
    shifts `s_t` by `log(2)` and converges to the same weight, so one form covers all kinds of tasks.
    """

    type: Literal["uncertainty"] = "uncertainty"

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting with its parameters."""
        from mtl_core.builtins.weighting_modules.uncertainty import LearnedUncertainty

        return LearnedUncertainty(weights)


class DynamicWeightAverage(WeightingSpec):
    """Dynamic weight average: higher weights for tasks whose losses fall more slowly (DWA; Liu et al., 2019).

    From the third epoch on, the factors are the softmax of `L_t(last epoch) / L_t(epoch before) / temperature`,
    times the number of tasks and each task's weight; until then, just the weight. A task without labels in an epoch
    keeps its recorded losses.
    """

    type: Literal["dwa"] = "dwa"
    temperature: PositiveFloat = 2.0
    """Softmax temperature: near 0 only the slowest task counts, larger values equalise the weights."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weighting_modules.dynamic_average import DynamicAverage

        return DynamicAverage(weights, self.temperature)


class GradNorm(WeightingSpec):
    """GradNorm: balances the gradient norms of the tasks at the last shared layer (Chen et al., 2018).

    Each task has a factor `f_t`, initially 1. With `g_t` the norm of its gradient times `f_t`, and `r_t` the ratio
    of its loss to its first loss, relative to the mean ratio over tasks, Adam minimises
    `sum(|g_t - mean(g) * r_t ** alpha|)`; the factors are then rescaled to sum to the number of tasks. A task's
    weight also multiplies its loss, so a task of weight 2 keeps twice the norm of the others. Every step needs one
    backward pass to that layer per task in the batch.
    """

    type: Literal["gradnorm"] = "gradnorm"
    balances_gradients: ClassVar[bool] = True
    alpha: NonNegativeFloat = 1.5
    """How strongly slower tasks are favoured; 0 equalises all norms."""
    lr: PositiveFloat = 0.025
    """Learning rate of the factors."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weighting_modules.gradnorm import GradNormWeighting

        return GradNormWeighting(weights, self.alpha, self.lr)


class FAMO(WeightingSpec):
    """Fast adaptive multitask optimisation: losses decrease at equal relative rates (Liu et al., 2023).

    A step minimises `c * sum(z_t * log(L_t))`, where `c` makes the weights of the losses sum to 1 and `z` is the
    softmax of logits. Adam then lowers the logits of tasks whose `log(L_t)` decreased faster. A task's weight
    multiplies its `z_t` and divides its decrease: with weight 2, the target is twice the rate. Losses must be
    positive; they are clamped to at least 1e-8.

    The decrease of a loss is measured on the next batch with labels of the task, whose losses are computed anyway.
    Differences between batches cancel over consecutive steps. The published form, `same_batch`, runs the network on
    the same batch again after every step.
    """

    type: Literal["famo"] = "famo"
    lr: PositiveFloat = 0.025
    """Learning rate of the logits."""
    gamma: NonNegativeFloat = 0.01
    """Strength of the decay of logits towards 0, where all tasks have equal weight."""
    same_batch: bool = False
    """Whether a step's effect is measured on its own batch, as published, at the cost of one more forward pass."""

    def build(self, tasks: Sequence[str], weights: Sequence[float]) -> Weighting:
        """Build the weighting."""
        from mtl_core.builtins.weighting_modules.famo import FamoWeighting

        return FamoWeighting(weights, self.lr, self.gamma, self.same_batch)
