"""Losses for classes and for numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_core.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class CrossEntropy(LossSpec):
    """Cross entropy, with label smoothing if asked for (Szegedy et al., 2016)."""

    type: Literal["cross-entropy"] = "cross-entropy"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How much probability is spread over the other classes."""

    def build(self) -> nn.Module:
        """Make the loss."""
        from mtl_core.builtins.modules import CrossEntropyLoss

        return CrossEntropyLoss(self.smoothing)


class Focal(LossSpec):
    """Focal loss: examples that are already right count less (Lin et al., 2017)."""

    type: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0
    """How much less; 0 is cross entropy."""

    def build(self) -> nn.Module:
        """Make the loss."""
        from mtl_core.builtins.modules import FocalLoss

        return FocalLoss(self.gamma)


class SquaredError(LossSpec):
    """The square of the difference; of several numbers, the mean over those that are there."""

    type: Literal["squared-error"] = "squared-error"

    def build(self) -> nn.Module:
        """Make the loss."""
        from mtl_core.builtins.number_losses import NumberLoss, squared

        return NumberLoss(squared)


class AbsoluteError(LossSpec):
    """The absolute difference, which outliers move less."""

    type: Literal["absolute-error"] = "absolute-error"

    def build(self) -> nn.Module:
        """Make the loss."""
        from mtl_core.builtins.number_losses import NumberLoss, absolute

        return NumberLoss(absolute)


class Huber(LossSpec):
    """Squared near 0, absolute farther away (Huber, 1964)."""

    type: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0
    """Where one becomes the other, in standard deviations."""

    def build(self) -> nn.Module:
        """Make the loss."""
        from functools import partial

        from mtl_core.builtins.number_losses import NumberLoss, huber

        return NumberLoss(partial(huber, delta=self.delta))
