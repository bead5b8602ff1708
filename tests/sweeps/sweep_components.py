"""A plugin file for tests of sweeps: a backbone that fails, and a metric that detects test labels."""

import os
from typing import Literal

import torch
import torchmetrics
from pydantic import PositiveInt, model_validator
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from mtl_core import BackboneSpec, FeatureShape, MetricSpec, hookimpl
from mtl_core.builtins.backbones.modules.mlp import MLPBackbone
from mtl_core.data.label_space import LabelSpace


class FailingBackbone(BackboneSpec):
    """An MLP that ends the process for some settings and rejects some pairs of settings."""

    type: Literal["fragile"] = "fragile"
    width: PositiveInt = 8
    height: PositiveInt = 1
    """`width + height` is at most 10."""
    deadly: bool = False
    """Whether building the network ends the process."""

    @model_validator(mode="after")
    def _validate_sum(self) -> "FailingBackbone":
        if self.width + self.height > 10:
            raise ValueError(f"{self.width} and {self.height} are more than 10")
        return self

    def build(self, inputs: FeatureShape) -> nn.Module:
        if self.deadly:
            os._exit(3)
        return MLPBackbone(inputs, [self.width], 0.0)


class HiddenLabelAccuracySpec(MetricSpec):
    """Accuracy that fails on labels of the first class."""

    type: Literal["secret"] = "secret"

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        return HiddenLabelAccuracy(len(space.classes), average="micro", validate_args=False)


class HiddenLabelAccuracy(MulticlassAccuracy):
    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        assert (targets != 0).all(), "a test label was scored"
        super().update(outputs, targets)


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [FailingBackbone]


@hookimpl
def mtl_metrics() -> list[type[MetricSpec]]:
    return [HiddenLabelAccuracySpec]
