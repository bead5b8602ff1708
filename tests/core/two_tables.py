"""Two small tables of numbers with labels, as files: examples of several data sets."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, object]


def rows(count: int, seed: int, **columns: str) -> list[Row]:
    """Sample points with one label per column: left or right by the rule `x`, low or high by the rule `y`."""
    random = np.random.default_rng(seed)
    found: list[Row] = []
    for _ in range(count):
        x, y = (round(float(value), 3) for value in random.normal(size=2))
        sides = {"x": "left" if x < 0 else "right", "y": "low" if y < 0 else "high"}
        found.append({"x": x, "y": y, **{name: sides[rule] for name, rule in columns.items()}})
    return found


def write(path: Path, table: Sequence[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def table(train: Path, test: Path | None = None, **keys: Any) -> dict[str, Any]:
    """Return the block of a loader."""
    block = {"type": "table", "train": str(train), "numbers": ["x", "y"], **keys}
    return {**block, "test": str(test)} if test else block


def two_tables(folder: Path, first: str = "label", second: str = "label", **keys: Any) -> dict[str, Any]:
    """Return blocks of an experiment on two data sets: `across` has labels left or right, `down` low or high."""
    for name, column, rule, count, seed in (("across", first, "x", 60, 1), ("down", second, "y", 90, 2)):
        write(folder / f"{name}.csv", rows(count, seed, **{column: rule}))
        write(folder / f"{name}-test.csv", rows(20 + seed, 10 + seed, **{column: rule}))
    sets = {name: table(folder / f"{name}.csv", folder / f"{name}-test.csv") for name in ("across", "down")}
    return {
        "data": None,
        "data_sets": sets,
        "tasks": [
            {"name": "side", "label": first, "data": ["across"], "head": "linear"},
            {"name": "height", "label": second, "data": ["down"], "head": "linear"},
        ],
        "training": {"epochs": 8, "batch_size": 8},
        **keys,
    }
