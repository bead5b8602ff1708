"""Synthetic contents of `comparison.json` and `interactions.json` for any number of tasks."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VARIANTS = [
    ("multi-task", "multi-task"),
    ("equal", "equal"),
    ("single-task", "single-task"),
    ("uncertainty", "variant"),
    ("majority", "majority"),
]


def interactions(tasks: Sequence[str], epochs: int = 3, affinity: bool = True) -> dict[str, Any]:
    """Return the content of an `interactions.json`; no step has both of the first two tasks."""
    draw = random.Random(1)
    size = range(len(tasks))
    cosine = [[1.0 if a == b else round(draw.uniform(-0.4, 0.4), 4) for b in size] for a in size]
    for a in size:
        for b in size:
            cosine[a][b] = cosine[min(a, b)][max(a, b)]
    blank: list[list[float | None]] = [list(row) for row in cosine]
    if len(tasks) > 2:
        blank[0][1] = blank[1][0] = None
    return {
        "tasks": list(tasks),
        "cosine": blank,
        "conflicts": [[None if value is None else round(0.5 - value / 2, 3) for value in row] for row in blank],
        "steps": [[0 if value is None else 40 for value in row] for row in blank],
        "over_time": [{"epoch": number + 1, "cosine": blank} for number in range(epochs)],
        "affinity": [[round(value / 50, 5) for value in row] for row in cosine] if affinity else None,
        "suggestions": [f"{tasks[0]} and {tasks[-1]} may be better off apart"],
    }


def comparison(
    tasks: Sequence[str],
    metrics: Mapping[str, str] | None = None,
    variants: Sequence[tuple[str, str]] = VARIANTS,
) -> dict[str, Any]:
    """Return the content of a `comparison.json`; the default metric of a task is accuracy."""
    draw = random.Random(2)
    metrics = metrics or {}
    alike = not metrics
    measured = {
        task: {"metric": (m := metrics.get(task, "accuracy")), "higher_is_better": m != "mae", "n": 100 + place}
        for place, task in enumerate(tasks)
    }
    return {
        "experiment": "made-up",
        "seeds": [1, 2, 3],
        "folds": None,
        "part": "test",
        "examples": 150,
        "resamples": 1000,
        "level": 0.95,
        "reference": "single-task",
        "tasks": measured,
        "variants": [_variant(name, kind, tasks, measured, alike, draw) for name, kind in variants],
        "words": ["Together is better overall.", "No task suffered <b>much</b>."],
    }


def _variant(
    name: str, kind: str, tasks: Sequence[str], measured: Mapping[str, Any], alike: bool, draw: random.Random
) -> dict[str, Any]:
    def estimate(mean: float, reach: float) -> dict[str, Any]:
        return {"mean": mean, "low": mean - reach, "high": mean + reach * 1.1, "seeds": [mean] * 3}

    def difference(higher_is_better: bool) -> dict[str, Any]:
        mean, reach = draw.uniform(-0.04, 0.06), draw.uniform(0.01, 0.04)
        low, high = mean - reach, mean + reach
        sure = "gained" if (low > 0) == higher_is_better else "suffered"
        return {"mean": mean, "low": low, "high": high, "verdict": "noise" if low <= 0 <= high else sure}

    single = kind == "single-task"
    against = {task: difference(measured[task]["higher_is_better"]) for task in tasks}
    return {
        "name": name,
        "kind": kind,
        "settings": ["weighting=uncertainty"] if kind == "variant" else [],
        "tasks": {task: estimate(draw.uniform(0.4, 0.8), 0.03) for task in tasks},
        "overall": estimate(draw.uniform(0.5, 0.7), 0.02) if alike else None,
        "delta_m": None if single else {"mean": draw.uniform(-3, 5), "low": -4.0, "high": 6.0},
        "against_single": None if single else {**against, **({"overall": difference(True)} if alike else {})},
        "against_equal": None,
        "parameters": 0 if kind == "majority" else 123_456,
        "train_s": 12.5,
        "inference_ms": 0.25,
        "runs": [] if kind == "majority" else [f"runs/{name}-seed1"],
    }


def write(folder: Path, name: str, content: Mapping[str, Any]) -> Path:
    """Write a JSON file into a folder; create the folder if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
