"""Losses for classification and regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from mtl_core.plugins.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class CrossEntropy(LossSpec):
    """Cross entropy with optional label smoothing (Szegedy et al., 2016)."""

    type: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability mass that is spread over all classes."""

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.modules import CrossEntropyLoss

        return CrossEntropyLoss(self.label_smoothing)


class Focal(LossSpec):
    """Focal loss: well-classified examples have less weight (Lin et al., 2017)."""

    type: Literal["focal"] = "focal"
    gamma: NonNegativeFloat = 2.0
    """Strength of the down-weighting; 0 is cross entropy."""

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.modules import FocalLoss

        return FocalLoss(self.gamma)


class SquaredError(LossSpec):
    """Squared error; for several numbers, the mean over those that are not missing."""

    type: Literal["squared-error"] = "squared-error"

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.regression_losses import RegressionLoss, squared_error

        return RegressionLoss(squared_error)


class AbsoluteError(LossSpec):
    """Absolute error, which is less sensitive to outliers."""

    type: Literal["absolute-error"] = "absolute-error"

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.regression_losses import RegressionLoss, absolute_error

        return RegressionLoss(absolute_error)


class Huber(LossSpec):
    """Huber loss: squared near 0, absolute beyond `delta` (Huber, 1964)."""

    type: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0
    """Distance at which the loss changes from squared to absolute, in standard deviations."""

    def build(self) -> nn.Module:
        """Build the loss module."""
        from functools import partial

        from mtl_core.builtins.regression_losses import RegressionLoss, huber_loss

        return RegressionLoss(partial(huber_loss, delta=self.delta))
