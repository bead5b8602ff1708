"""A plugin file for comparison tests: a backbone that pauses in the middle of training."""

import time
from pathlib import Path
from typing import Literal

from pydantic import PositiveInt
from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, hookimpl
from mtl_core.builtins.backbones.modules.mlp import MLPBackbone


class Halting(BackboneSpec):
    """An MLP that pauses in the middle of training once another training is complete."""

    type: Literal["halting"] = "halting"
    pause_file: str
    """Path of a file; training does not pause if it is missing."""
    runs: str
    """The folder that contains the run directories."""
    pause_after_steps: PositiveInt
    """The number of training steps before the pause."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        return HaltingBackbone(inputs, self)


class HaltingBackbone(MLPBackbone):
    def __init__(self, inputs: FeatureShape, spec: Halting) -> None:
        super().__init__(inputs, [8], 0.2)
        self.pause_file, self.runs, self.remaining_steps = (
            Path(spec.pause_file),
            Path(spec.runs),
            spec.pause_after_steps,
        )

    def forward(self, features: Features) -> Features:
        if self.training:
            self.remaining_steps -= 1
            while self.remaining_steps < 0 and self.pause_file.exists() and list(self.runs.glob("*/metrics.json")):
                time.sleep(0.01)
        return super().forward(features)


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [Halting]
