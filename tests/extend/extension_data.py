"""Small tables and experiments for extensions: rows of numbers, whose labels are functions of them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file

from mtl_core.runs.saved_run import load_run

NORMALIZED = '''\
"""A backbone with dropout and batch normalization, whose statistics change in training mode."""

from typing import Literal

from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, hookimpl


class NormalizedModule(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
        self.output = FeatureShape(8, sequence=False)

    def forward(self, features):
        return Features(self.layers(features.values), features.mask)


class Normalized(BackboneSpec):
    type: Literal["normalized"] = "normalized"

    def build(self, inputs):
        return NormalizedModule(inputs.width)


@hookimpl
def mtl_backbones():
    return [Normalized]
'''
COLUMNS = ["a", "b", "c", "sign", "size", "level", "late", "score", "same", "empty", "three"]


def build_rows(n_rows: int, seed: int) -> list[dict[str, str]]:
    """Return rows of numbers and labels; half of the labels of `sign` and `size` are missing, in different rows."""
    random = np.random.default_rng(seed)
    rows = []
    for index in range(n_rows):
        a, b, c = random.normal(size=3).round(4).tolist()
        row = {
            "a": f"{a}",
            "b": f"{b}",
            "c": f"{c}",
            "sign": "plus" if a + b > 0 else "minus",
            "size": ("small", "medium", "large")[int(abs(c) > 0.4) + int(abs(c) > 1)],
            "level": "high" if c > 0 else "low",
            "late": "yes" if a > 0 else "no",
            "score": f"{2 * a - b:.4f}",
            "same": "always",
            "empty": "",
            "three": "3",
        }
        for column, is_missing in (("sign", index % 4 == 1), ("size", index % 4 == 2)):
            if is_missing:
                row[column] = ""
        rows.append(row)
    return rows


def write_table(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str]) -> Path:
    """Write some columns of rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_experiment(folder: Path, **changes: Any) -> Path:
    """Write an experiment with the tasks `sign` and `size`, its table, its plugin, and a file with new labels."""
    write_table(folder / "train.csv", build_rows(120, 0), COLUMNS)
    write_table(folder / "test.csv", build_rows(40, 1), COLUMNS)
    write_table(folder / "new.csv", build_rows(60, 2), ["a", "b", "c", "late", "score", "same"])
    (folder / "normalized.py").write_text(NORMALIZED)
    block: dict[str, Any] = {
        "data": {
            "type": "table",
            "train": "train.csv",
            "test": "test.csv",
            "numbers": ["a", "b", "c"],
            "labels": ["sign", "size"],
        },
        "encoder": "array",
        "backbone": "normalized",
        "tasks": [
            {"name": "sign", "kind": "binary", "head": "linear"},
            {"name": "size", "head": {"type": "linear", "dropout": 0.2}},
        ],
        "optimizer": {"type": "adamw", "lr": 0.02, "weight_decay": 0.1},
        "training": {"epochs": 2, "batch_size": 16},
        "plugins": ["normalized.py"],
        **changes,
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(block, sort_keys=False))
    return path


def read_bits(run: Path) -> dict[str, bytes]:
    """Return the bits of each tensor of a run's network, statistics of batch normalization included."""
    return {name: tensor.numpy().tobytes() for name, tensor in load_file(run / "model.safetensors").items()}


def predict_bits(run: Path, table: Path) -> dict[str, bytes]:
    """Return the bits of the outputs of each task for all rows of a table."""
    saved = load_run(run)
    corpus = saved.get_loader().load_file(table, [])
    items = saved.encoder.encode(saved.encoder.parse(list(corpus.inputs)))
    with torch.inference_mode():
        outputs = saved.network(saved.encoder.collate(items))
    return {
        task.name: output.outputs[:, column].contiguous().numpy().tobytes()
        for group, output in zip(saved.groups, outputs, strict=True)
        if output is not None
        for column, task in enumerate(group.tasks)
    }
