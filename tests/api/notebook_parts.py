"""Parts as a notebook defines them: registered by no plugin."""

from typing import Literal

import torch
from torch import nn

from mtl_core import BackboneSpec, FeatureShape, HeadSpec
from mtl_core.nn import Features


class Net(nn.Module):
    """A plain module without arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(16), nn.ReLU())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layers(values)
        return outputs


class DoubledHead(HeadSpec):
    """A head whose outputs are doubled."""

    type: Literal["doubled"] = "doubled"
    factor: float = 2.0

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        return _Doubled(inputs.width, outputs, self.factor)


class _Doubled(nn.Module):
    def __init__(self, width: int, outputs: int, factor: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, outputs)
        self.factor = factor

    def forward(self, features: Features) -> torch.Tensor:
        outputs: torch.Tensor = self.linear(features.mean_pool()) * self.factor
        return outputs


class NotebookBackbone(BackboneSpec):
    """A backbone spec that no plugin registers."""

    type: Literal["notebook"] = "notebook"
    width: int = 8

    def build(self, inputs: FeatureShape) -> nn.Module:
        module = nn.Linear(inputs.width, self.width)
        backbone = _Mean(module)
        backbone.output = FeatureShape(self.width, sequence=False)
        return backbone


class _Mean(nn.Module):
    output: FeatureShape

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, features: Features) -> Features:
        return Features(self.module(features.mean_pool()))
