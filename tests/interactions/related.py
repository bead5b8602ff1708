"""A plugin file with tasks whose relations are known, and helpers for the tests.

Every input is a row of four numbers. `up` is a noisy linear function of them, `down` is its negative, `aside` is an
independent linear function. `early` and `late` have the values of `up`, but no example has both labels. `up-class` and
`aside-class` are three classes of these values. The head
`read-out` has no parameters, so tasks differ in their labels only.
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from torch import nn

from mtl_core import BackboneSpec, Corpus, Features, FeatureShape, HeadSpec, LoaderSpec, hookimpl
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.runs.run import run_experiment
from mtl_core.training.callback import NullCallback

ROWS, WIDTH = 96, 4


class RelatedTasks(LoaderSpec):
    """Rows of numbers."""

    type: Literal["related"] = "related"
    seed: int = 0

    def load(self) -> Corpus:
        rng = np.random.default_rng(self.seed)
        inputs = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
        up = inputs @ np.array([2.0, -1.0, 0.5, 0.0]) + rng.normal(size=ROWS) / 10
        aside = inputs @ np.array([0.0, 0.5, 1.0, 3.0]) + rng.normal(size=ROWS) / 10
        odd_labels = [float(value) if index % 2 else None for index, value in enumerate(up)]
        return Corpus(
            ids=[str(index) for index in range(ROWS)],
            inputs=list(inputs),
            labels={
                "up": up.tolist(),
                "up-too": up.tolist(),
                "down": (-up).tolist(),
                "aside": aside.tolist(),
                "up-class": _classify(up),
                "aside-class": _classify(aside),
                "early": odd_labels,
                "late": [float(value) if index % 2 == 0 else None for index, value in enumerate(up)],
            },
            splits=["train"] * ROWS,
        )


def _classify(values: np.ndarray) -> list[str | None]:
    return [["low", "medium", "high"][int(index)] for index in np.digitize(values, [-1.0, 1.0])]


class OneLayer(BackboneSpec):
    """One linear layer with one output; `noisy` adds dropout before it and batch normalisation after it."""

    type: Literal["one-layer"] = "one-layer"
    noisy: bool = False

    def build(self, inputs: FeatureShape) -> nn.Module:
        return Layer(inputs.width, self.noisy)


class Layer(nn.Module):
    def __init__(self, width: int, noisy: bool) -> None:
        super().__init__()
        self.output = FeatureShape(1, sequence=False)
        self.dropout = nn.Dropout(0.4) if noisy else nn.Identity()
        self.linear = nn.Linear(width, 1, bias=False)
        self.norm = nn.BatchNorm1d(1) if noisy else nn.Identity()

    def forward(self, features: Features) -> Features:
        return Features(self.norm(self.linear(self.dropout(features.values))))


class ReadOut(HeadSpec):
    """A head that returns the features: no parameters are task-specific."""

    type: Literal["read-out"] = "read-out"

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        return IdentityHead()


class IdentityHead(nn.Module):
    def forward(self, features: Features) -> torch.Tensor:
        return features.values


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [RelatedTasks]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [OneLayer]


@hookimpl
def mtl_heads() -> list[type[HeadSpec]]:
    return [ReadOut]


def write_experiment(folder: Path, *tasks: str, **blocks: Any) -> Path:
    """Write an experiment that learns some of the columns and observes every step; `blocks` override defaults."""
    head = blocks.pop("head", "read-out")
    value = {
        "name": "related",
        "seed": 1,
        "plugins": [str(Path(__file__).resolve())],
        "data": "related",
        "split": {"type": "random", "validation": 0.25},
        "encoder": {"type": "array", "standardise": False},
        "backbone": "one-layer",
        "tasks": [{"name": name, "kind": "regression", "head": head} for name in tasks],
        "optimizer": {"type": "sgd", "lr": 0.01},
        "training": {"epochs": 3, "batch_size": 8},
        "interactions": {"every_n_steps": 1, "affinity": True},
        **blocks,
    }
    path = folder / "related.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    return path


def load_related_config(folder: Path, *tasks: str, **blocks: Any) -> ExperimentConfig:
    """Write the experiment and load its config."""
    return load_experiment(write_experiment(folder, *tasks, **blocks)).config


def load_interactions(run_dir: Path) -> dict[str, Any]:
    """Load the `interactions.json` of a run."""
    interactions: dict[str, Any] = json.loads((run_dir / "interactions.json").read_text(encoding="utf-8"))
    return interactions


def train_and_load_interactions(folder: Path, *tasks: str, name: str = "run", **blocks: Any) -> dict[str, Any]:
    """Train, and load the `interactions.json` of the run."""
    run_experiment(load_related_config(folder, *tasks, **blocks), folder / name, NullCallback())
    return load_interactions(folder / name)


def get_matrix_entry(interactions: dict[str, Any], key: str, row_task: str, column_task: str) -> Any:
    """Return one number of a matrix by the names of its tasks."""
    return interactions[key][interactions["tasks"].index(row_task)][interactions["tasks"].index(column_task)]
