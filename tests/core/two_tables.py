"""Two small tables of numbers with labels, as files: examples of several data sets."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, object]


def sample_rows(count: int, seed: int, **columns: str) -> list[Row]:
    """Sample points with one label per column: left or right by the rule `x`, low or high by the rule `y`."""
    random = np.random.default_rng(seed)
    sampled_rows: list[Row] = []
    for _ in range(count):
        x, y = (round(float(value), 3) for value in random.normal(size=2))
        sides = {"x": "left" if x < 0 else "right", "y": "low" if y < 0 else "high"}
        sampled_rows.append({"x": x, "y": y, **{name: sides[rule] for name, rule in columns.items()}})
    return sampled_rows


def write_table(path: Path, table: Sequence[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def build_loader_block(train: Path, test: Path | None = None, **keys: Any) -> dict[str, Any]:
    """Return the block of a loader."""
    block = {"type": "table", "train": str(train), "numbers": ["x", "y"], **keys}
    return {**block, "test": str(test)} if test else block


def build_two_table_blocks(folder: Path, first: str = "label", second: str = "label", **keys: Any) -> dict[str, Any]:
    """Return blocks of an experiment on two data sets: `across` has labels left or right, `down` low or high."""
    for name, column, rule, count, seed in (("across", first, "x", 60, 1), ("down", second, "y", 90, 2)):
        write_table(folder / f"{name}.csv", sample_rows(count, seed, **{column: rule}))
        write_table(folder / f"{name}-test.csv", sample_rows(20 + seed, 10 + seed, **{column: rule}))
    data_sets = {
        name: build_loader_block(folder / f"{name}.csv", folder / f"{name}-test.csv") for name in ("across", "down")
    }
    return {
        "data": None,
        "data_sets": data_sets,
        "tasks": [
            {"name": "side", "label": first, "data": ["across"], "head": "linear"},
            {"name": "height", "label": second, "data": ["down"], "head": "linear"},
        ],
        "training": {"epochs": 8, "batch_size": 8},
        **keys,
    }
