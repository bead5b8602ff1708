"""A plugin file for distributed tests: a backbone that records the rows of each batch, and failures on one rank."""

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt
from torch import distributed, nn
from toy import Toy

from mtl_core import BackboneSpec, Corpus, Features, FeatureShape, LoaderSpec, hookimpl
from mtl_core.builtins.backbones.modules.mlp import MLPBackbone
from mtl_core.errors import MtlError


class Recording(BackboneSpec):
    """An MLP that records the inputs of each training step, and may fail in a step of one rank."""

    type: Literal["recording"] = "recording"
    folder: str
    """The folder of the records; one file per world size and rank."""
    interrupt: bool = False
    """Whether Ctrl-C interrupts the run at `step`, once per rank."""
    fail_on_rank: NonNegativeInt | None = None
    """The rank on which the run fails at `step`."""
    step: NonNegativeInt = 0

    def build(self, inputs: FeatureShape) -> nn.Module:
        return RecordingBackbone(inputs, self)


class RecordingBackbone(MLPBackbone):
    def __init__(self, inputs: FeatureShape, spec: Recording) -> None:
        super().__init__(inputs, [8], 0.0)
        self.spec, self.step = spec, 0

    def forward(self, features: Features) -> Features:
        if self.training:
            is_group = distributed.is_initialized()
            rank, world_size = (distributed.get_rank(), distributed.get_world_size()) if is_group else (0, 1)
            self._record(features, f"{world_size}-{rank}")
            if self.step == self.spec.step and world_size > 1:
                self._fail(rank)
            self.step += 1
        return super().forward(features)

    def _record(self, features: Features, name: str) -> None:
        rows = [row.tobytes().hex() for row in features.values.numpy()]
        with (Path(self.spec.folder) / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(rows) + "\n")

    def _fail(self, rank: int) -> None:
        marker = Path(self.spec.folder) / f"interrupted-{rank}"
        if self.spec.interrupt and not marker.exists():
            marker.touch()
            raise KeyboardInterrupt
        if self.spec.fail_on_rank == rank:
            raise OSError("the disk of this rank is full")


class FailingOnOneRank(LoaderSpec):
    """Toy data that one of two ranks cannot load."""

    type: Literal["toy-failing"] = "toy-failing"
    exception: Literal["user-error", "bug"]

    def load(self) -> Corpus:
        if os.environ.get("RANK") == "1":
            raise MtlError("no such file") if self.exception == "user-error" else KeyError("column")
        return Toy().load()


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [Recording]


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [FailingOnOneRank]
