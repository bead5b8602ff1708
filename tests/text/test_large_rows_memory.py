"""Rows of a large table stay on disk while encoders of several columns are fitted, trained and predicted with."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from peak_memory import measure_peak_growth, run_command

from mtl_core.builtins.loaders.tables import corpus_builder
from mtl_core.config.load import load_experiment
from mtl_core.runs import predict_inputs
from mtl_core.runs.run import run_experiment

DIGITS = "1" * 10_000
"""A long word, so that a text is long, and the network reads two words."""

EXPERIMENT: dict[str, Any] = {
    "name": "large",
    "split": {"type": "random", "validation": 0.25},
    "encoder": {"columns": {"title": {"dimensions": 4}, "review": {"dimensions": 4}}},
    "backbone": {"type": "mlp", "hidden_dims": [2]},
    "tasks": [{"name": "opinion", "kind": "classification", "head": "linear"}],
    "training": {"epochs": 1, "batch_size": 32, "refit": False},
}


@pytest.fixture(autouse=True)
def on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every table as large, and read it in small chunks."""
    monkeypatch.setattr(corpus_builder, "MAX_BYTES_IN_MEMORY", -1)
    monkeypatch.setattr(predict_inputs, "CHUNK_SIZE", 32)
    monkeypatch.setattr("mtl_core.runs.split_evaluation.CHUNK_SIZE", 32)
    monkeypatch.setattr("mtl_core.data.lazy_sequences.CHUNK_SIZE", 32)


def write_table(path: Path, rows: int) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["title", "review", "price", "kind", "opinion"])
        for row in range(rows):
            word, label = (("good", "positive"), ("bad", "negative"))[row % 2]
            writer.writerow([f"title {DIGITS}", f"{word} {DIGITS}", row % 7, f"kind {row % 3}", label])
    return path


def train_and_predict(path: Path) -> None:
    experiment = path.with_suffix(".yaml")
    inputs = {"title": "text", "review": "text", "price": "number", "kind": "category"}
    data = {"type": "table", "train": str(path), "test": str(path.with_suffix(".test.csv")), "inputs": inputs}
    experiment.write_text(yaml.safe_dump({**EXPERIMENT, "data": data}, sort_keys=False), encoding="utf-8")
    run = path.with_suffix(".run")
    shutil.rmtree(run, ignore_errors=True)
    run_experiment(load_experiment(experiment).config, run)
    run_command("predict", run, "--input", path, "--output", path.with_suffix(".jsonl"))


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    small, large = (write_table(tmp_path / f"{rows}.csv", rows) for rows in (64, 384))
    for path in (small, large):
        path.with_suffix(".test.csv").write_bytes(path.read_bytes())
    growth = measure_peak_growth(train_and_predict, small, large)
    assert growth < 3  # the texts that differ in number are 6 MB per split
