"""Losses for regression: squared error, absolute error and Huber loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat

from mtl_core.plugins.specs import LossSpec

if TYPE_CHECKING:
    from torch import nn


class SquaredError(LossSpec):
    """Squared error; for several numbers, the mean over those that are not missing."""

    type: Literal["squared-error"] = "squared-error"

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.losses.modules.regression import RegressionLoss, squared_error

        return RegressionLoss(squared_error)


class AbsoluteError(LossSpec):
    """Absolute error, which is less sensitive to outliers."""

    type: Literal["absolute-error"] = "absolute-error"

    def build(self) -> nn.Module:
        """Build the loss module."""
        from mtl_core.builtins.losses.modules.regression import RegressionLoss, absolute_error

        return RegressionLoss(absolute_error)


class Huber(LossSpec):
    """Huber loss: squared near 0, absolute beyond `delta` (Huber, 1964)."""

    type: Literal["huber"] = "huber"
    delta: PositiveFloat = 1.0
    """Distance at which the loss changes from squared to absolute, in standard deviations."""

    def build(self) -> nn.Module:
        """Build the loss module."""
        from functools import partial

        from mtl_core.builtins.losses.modules.regression import RegressionLoss, huber_loss

        return RegressionLoss(partial(huber_loss, delta=self.delta))
