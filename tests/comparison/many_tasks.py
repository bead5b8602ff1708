"""A plugin file with a loader of many binary tasks, which have different numbers of labels."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from mtl_core import BackboneSpec, Corpus, Features, FeatureShape, LoaderSpec, hookimpl


class ManyTasks(LoaderSpec):
    """Binary tasks on vectors: the share of labels of task t is `rates[t % len(rates)]`."""

    type: Literal["many-tasks"] = "many-tasks"
    rows: PositiveInt = 80
    test_rows: NonNegativeInt = 40
    tasks: PositiveInt = 6
    width: PositiveInt = 6
    rates: list[float] = [1.0, 0.6, 0.3, 0.1]
    sparse: bool = False
    """Whether inputs are texts of the indices of the numbers above `threshold`."""
    threshold: float = 0.0
    weighted: bool = False
    """Whether every third label has weight 0, and every fourth weight 2."""
    untested: NonNegativeInt = 0
    """Number of tasks, the last ones, without a label in the test part."""
    single: bool = False
    """Whether the first task has a single positive label in the test part."""

    def load(self) -> Corpus:
        random = np.random.default_rng(0)
        total = self.rows + self.test_rows
        inputs = random.normal(size=(total, self.width)).astype(np.float32)
        rules = random.normal(size=(self.width, self.tasks)) / np.sqrt(self.width)
        positive = inputs @ rules + random.normal(size=(total, self.tasks)) / 2 > 0
        if self.single:
            positive[self.rows :, 0] = np.arange(self.test_rows) == 0
        rates = np.resize(self.rates, self.tasks)
        known = random.random((total, self.tasks)) < rates
        known[0], known[1] = True, True
        known[self.rows :][:2] = True
        known[self.rows :, self.tasks - self.untested :] = False
        names = [f"t{task}" for task in range(self.tasks)]
        columns = {
            name: [str(int(p)) if k else None for p, k in zip(positive[:, task], known[:, task], strict=True)]
            for task, name in enumerate(names)
        }
        texts = [" ".join(str(index) for index in np.flatnonzero(row > self.threshold)) for row in inputs]
        weights = {name: [float([0, 1, 1, 2][row % 4]) for row in range(total)] for name in names[:2]}
        return Corpus(
            ids=[f"r{row}" for row in range(total)],
            inputs=texts if self.sparse else list(inputs),
            labels=columns,
            splits=["train" if row < self.rows else "test" for row in range(total)],
            weights=weights if self.weighted else {},
        )


class BatchNorm(BackboneSpec):
    """Batch normalization, which updates running statistics in training."""

    type: Literal["batch-norm"] = "batch-norm"

    def build(self, inputs: FeatureShape) -> nn.Module:
        return BatchNormBackbone(inputs)


class BatchNormBackbone(nn.Module):
    def __init__(self, inputs: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.BatchNorm1d(inputs.width)
        self.output = inputs

    def forward(self, features: Features) -> Features:
        return Features(self.layer(features.values))


class RandomNoise(BackboneSpec):
    """Noise that is added to the features in training."""

    type: Literal["random"] = "random"

    def build(self, inputs: FeatureShape) -> nn.Module:
        return NoiseBackbone(inputs)


class NoiseBackbone(nn.Module):
    def __init__(self, inputs: FeatureShape) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs.width, inputs.width)
        self.output = inputs

    def forward(self, features: Features) -> Features:
        values = self.layer(features.values)
        return Features(values + torch.randn_like(values) if self.training else values)


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [BatchNorm, RandomNoise]


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [ManyTasks]


def write_many_tasks(folder: Path, **blocks: Any) -> Path:
    """Write an experiment; keywords replace its blocks."""
    value = {
        "name": "many",
        "seed": 1,
        "plugins": [str(Path(__file__).resolve())],
        "data": {"type": "many-tasks"},
        "split": {"type": "random", "validation": 0.25},
        "encoder": "array",
        "backbone": {"type": "mlp", "hidden_dims": [8], "dropout": 0.2},
        "tasks": [{"each": "*", "kind": {"type": "binary", "classes": ["0", "1"]}, "head": "linear"}],
        "optimizer": {"type": "adam", "lr": 0.02},
        "training": {"epochs": 4, "batch_size": 8},
        **blocks,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "many.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    return path
