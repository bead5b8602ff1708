"""Toy data for the core's tests: rows of numbers with labels for several tasks. No text, no files.

It is a plugin file, loaded by path like any other, and a module with a few helpers for tests.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import yaml
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import nn

from mtl_core import Corpus, Features, FeatureShape, HeadSpec, Label, LoaderSpec, hookimpl
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.nn.heads import HeadGroup, HeadOutput
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.build_network import build_network
from mtl_core.training.objective import Objective

Share = Annotated[float, Field(ge=0, le=1)]


class Toy(LoaderSpec):
    """Rows of numbers; each task's label is a noisy linear function of them, and some labels are "absent"."""

    type: Literal["toy"] = "toy"
    rows: PositiveInt = 60
    test_rows: NonNegativeInt = 0
    tasks: PositiveInt = 3
    classes: PositiveInt = 3
    width: PositiveInt = 6
    labelled: Share = 0.6
    """Probability that a label is not missing."""
    unlabelled_every: NonNegativeInt = 0
    """Number of training rows after which a further row without any label is inserted; 0 for none."""
    wrong_test: bool = False
    """Whether the labels of test rows are shifted by one class."""
    reverse: bool = False
    """Whether the label columns are in reverse order."""
    seed: NonNegativeInt = 0

    def load(self) -> Corpus:
        random = np.random.default_rng(self.seed)
        total = self.rows + self.test_rows
        inputs = random.normal(size=(total, self.width)).astype(np.float32)
        rules = random.normal(size=(self.tasks, self.width, self.classes))
        codes = np.einsum("nw,twc->ntc", inputs, rules) + random.normal(size=(total, self.tasks, self.classes)) / 2
        codes = codes.argmax(axis=2)
        codes[random.random(codes.shape) < 0.1] = -2  # absent
        codes[random.random(codes.shape) >= self.labelled] = -1
        codes[: self.rows][(codes[: self.rows] < 0).all(axis=1), 0] = 0  # no row lacks all labels by chance
        if self.wrong_test:
            test = codes[self.rows :]
            test[test >= 0] = (test[test >= 0] + 1) % self.classes
        rows = [(f"r{row}", inputs[row], codes[row]) for row in range(total)]
        if self.unlabelled_every:
            extra_random = np.random.default_rng(self.seed + 1)
            for row_index in range(self.rows, 0, -self.unlabelled_every):
                extra = extra_random.normal(size=self.width).astype(np.float32) * 100
                rows.insert(row_index, (f"bare{row_index}", extra, np.full(self.tasks, -1)))
        order = range(self.tasks)[:: -1 if self.reverse else 1]
        return Corpus(
            ids=[name for name, _, _ in rows],
            inputs=[values for _, values, _ in rows],
            labels={f"t{task}": [_label(codes[task]) for _, _, codes in rows] for task in order},
            splits=["train" if row < len(rows) - self.test_rows else "test" for row in range(len(rows))],
        )


def _label(code: int) -> Label | None:
    return {-1: None, -2: "absent"}.get(int(code), f"c{code}")


class SeparateLinear(HeadSpec):
    """One linear layer per task, in one module per task."""

    type: Literal["toy-linear"] = "toy-linear"

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        return SeparateLinearHead(inputs.width, outputs)


class SeparateLinearHead(nn.Module):
    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, outputs)

    def forward(self, features: Features) -> torch.Tensor:
        outputs: torch.Tensor = self.layer(features.mean_pool())
        return outputs


class GroupedLinear(HeadSpec):
    """One module for all tasks: a shared layer, then one matrix and one bias per task."""

    type: Literal["toy-grouped"] = "toy-grouped"
    width: PositiveInt = 5
    spoil: Literal["nan", "inf", "-inf"] | None = None
    """The value of all outputs outside the output mask, which may have any value."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        raise AssertionError("this head overrides build_group")

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        return GroupedLinearHeads(inputs, outputs, tasks, self.width, float(self.spoil) if self.spoil else None)


class GroupedLinearHeads(HeadGroup):
    def __init__(self, inputs: FeatureShape, outputs: int, tasks: int, width: int, spoil: float | None) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs.width, width)
        self.weight = nn.Parameter(torch.randn(tasks, width, outputs) / width)
        self.bias = nn.Parameter(torch.randn(tasks, outputs) / width)
        self.spoil = spoil

    def stacked_parameters(self) -> list[nn.Parameter]:
        return [self.weight, self.bias]

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        hidden = torch.tanh(self.shared(features.mean_pool()))
        outputs = torch.einsum("bw,two->bto", hidden, self.weight) + self.bias
        if output_mask is not None and self.spoil is not None:
            outputs = outputs.masked_fill(~output_mask.unsqueeze(-1), self.spoil)
        return HeadOutput(outputs)


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [Toy]


@hookimpl
def mtl_heads() -> list[type[HeadSpec]]:
    return [GroupedLinear, SeparateLinear]


CLASSES = ["c0", "c1", "c2"]


def task_block(head: Any = "linear", **keys: Any) -> dict[str, Any]:
    """Return an entry of `tasks:`; it matches all columns if `name` is missing."""
    kind = keys.pop("kind", {"type": "classification", "classes": CLASSES})
    block = {"kind": kind, "head": head, "mask": "exclude-labels", **keys}
    return block if "name" in block else {"each": "*", **block}


def write_experiment(folder: Path, **blocks: Any) -> Path:
    """Write a toy experiment; keywords replace its blocks."""
    value = {
        "name": "toy",
        "seed": 1,
        "plugins": [str(Path(__file__).resolve())],
        "data": {"type": "toy"},
        "encoder": "array",
        "backbone": {"type": "mlp", "hidden_dims": [8], "dropout": 0.2},
        "tasks": [task_block()],
        "optimizer": {"type": "adam", "lr": 0.02},
        "training": {"epochs": 3, "batch_size": 8},
        **blocks,
    }
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    return path


def toy_config(folder: Path, **blocks: Any) -> ExperimentConfig:
    """Write and load a toy experiment."""
    return load_experiment(write_experiment(folder, **blocks)).config


def toy_network(config: ExperimentConfig) -> tuple[FittedData, MultiTaskNetwork, Objective]:
    """Build the data, network and objective of a training step."""
    prepared = prepare(config)
    network = build_network(config, prepared.encoder, prepared.groups)
    return prepared, network, Objective(prepared.groups, config.weighting)


def tensor_bits(tensors: dict[str, torch.Tensor]) -> dict[str, bytes]:
    """Convert tensors to bytes, so that equality compares bits (NaN included)."""
    return {name: tensor.detach().contiguous().numpy().tobytes() for name, tensor in tensors.items()}
