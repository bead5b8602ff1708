"""On data whose labels depend on a text and on other columns, a network that reads all columns is better."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mixed_rows import INPUTS, build_rows, write_csv

from mtl_core.cli.app import main
from mtl_core.config.load import load_experiment
from mtl_core.runs.run import run_experiment

pytestmark = pytest.mark.usefixtures("placeholder_reports")

SEEDS = (1, 2, 3)
T_QUANTILE = 4.303
"""The 97.5 % quantile of Student's t distribution with 2 degrees of freedom."""
EXPERIMENT: dict[str, Any] = {
    "name": "rows",
    "data": {"type": "table", "train": "train.csv", "test": "test.csv", "inputs": INPUTS},
    "encoder": {"columns": {"review": {"dimensions": 8}, "cuisine": {"dimensions": 4}}},
    "backbone": {"type": "mlp", "hidden_dims": [16]},
    "tasks": [
        {"name": "recommend", "kind": "classification", "head": "linear"},
        {"name": "rating", "kind": "regression", "head": "linear"},
    ],
    "optimizer": {"type": "adam", "lr": 0.02},
    "training": {"epochs": 4, "batch_size": 16, "refit": False},
}


def write_experiment(folder: Path) -> Path:
    write_csv(folder / "train.csv", build_rows(240, seed=1, missing=0.05))
    write_csv(folder / "test.csv", build_rows(200, seed=2, missing=0.05))
    path = folder / "rows.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False), encoding="utf-8")
    return path


def train(path: Path, seed: int, omit: str) -> Path:
    """Train without some columns; return the run directory."""
    run = path.parent / f"omit-{omit}-{seed}"
    run_experiment(load_experiment(path, [f"seed={seed}", f"encoder.omit=[{omit}]"]).config, run)
    return run


def get_accuracy(run: Path) -> float:
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return float(metrics["splits"]["test"]["tasks"]["recommend"]["accuracy"])


def compute_interval(differences: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of paired differences."""
    half_width = T_QUANTILE * np.std(differences, ddof=1) / np.sqrt(len(differences))
    return float(np.mean(differences) - half_width), float(np.mean(differences) + half_width)


def test_text_numbers_and_category_beat_the_text_beyond_the_interval(tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    runs = {omit: [train(path, seed, omit) for seed in SEEDS] for omit in ("", "review", "price,wait,seats,cuisine")}
    accuracies = {omit: [get_accuracy(run) for run in seed_runs] for omit, seed_runs in runs.items()}
    for omit in ("review", "price,wait,seats,cuisine"):
        gains = [a - b for a, b in zip(accuracies[""], accuracies[omit], strict=True)]
        low, _ = compute_interval(gains)
        assert low > 0, (omit, accuracies)
    text_run, run = runs["price,wait,seats,cuisine"][0], runs[""][0]
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(text_run), str(run), "--out", str(tmp_path / "comparison")])
    assert stop.value.code == 0
    comparison = json.loads((tmp_path / "comparison" / "comparison.json").read_text(encoding="utf-8"))
    differences = comparison["variants"][1]["differences_from_reference"]
    assert {name: difference["verdict"] for name, difference in differences.items()} == {
        "recommend": "improved",
        "rating": "improved",
    }
