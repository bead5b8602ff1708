"""A part for tests of comparisons, a plugin file: a backbone that stands still in the middle of its training."""

import time
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt
from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, hookimpl
from mtl_core.builtins.modules import MLPBackbone


class Halting(BackboneSpec):
    """An MLP that waits in the middle of its training, once another training is over."""

    type: Literal["halting"] = "halting"
    gate: str
    """A file; nothing waits if it is not there."""
    runs: str
    """The folder that holds the run directories."""
    after: PositiveInt
    """Training steps that are taken in any case."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        return HaltingBackbone(inputs, self)


class HaltingBackbone(MLPBackbone):
    def __init__(self, inputs: FeatureShape, spec: Halting) -> None:
        super().__init__(inputs, [8], 0.2)
        self.gate, self.runs, self.left = Path(spec.gate), Path(spec.runs), spec.after

    def forward(self, features: Features) -> Features:
        if self.training:
            self.left -= 1
            while self.left < 0 and self.gate.exists() and list(self.runs.glob("*/metrics.json")):
                time.sleep(0.01)
        return super().forward(features)


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [Halting]
