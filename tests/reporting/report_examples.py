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


def build_interactions(tasks: Sequence[str], epochs: int = 3, affinity: bool = True) -> dict[str, Any]:
    """Return the content of an `interactions.json`; no step has both of the first two tasks."""
    rng = random.Random(1)
    task_indices = range(len(tasks))
    cosine = [[1.0 if a == b else round(rng.uniform(-0.4, 0.4), 4) for b in task_indices] for a in task_indices]
    for a in task_indices:
        for b in task_indices:
            cosine[a][b] = cosine[min(a, b)][max(a, b)]
    observed_cosine: list[list[float | None]] = [list(row) for row in cosine]
    if len(tasks) > 2:
        observed_cosine[0][1] = observed_cosine[1][0] = None
    return {
        "tasks": list(tasks),
        "observed_steps": 40,
        "cosine": observed_cosine,
        "cosine_error": [[None if value is None else 0.05 for value in row] for row in observed_cosine],
        "conflicts": [
            [None if value is None else round(0.5 - value / 2, 3) for value in row] for row in observed_cosine
        ],
        "steps": [[0 if value is None else 40 for value in row] for row in observed_cosine],
        "norms": [1.0 for _ in tasks],
        "by_epoch": [{"epoch": number + 1, "cosine": observed_cosine} for number in range(epochs)],
        "affinity": [[round(value / 50, 5) for value in row] for row in cosine] if affinity else None,
        "affinity_error": [[0.01 for _ in row] for row in cosine] if affinity else None,
        "groupings": None,
        "auxiliary": {},
        "suggestions": [f"{tasks[0]} and {tasks[-1]} may be better off apart"],
    }


def build_comparison(
    tasks: Sequence[str],
    metrics: Mapping[str, str] | None = None,
    variants: Sequence[tuple[str, str]] = VARIANTS,
) -> dict[str, Any]:
    """Return the content of a `comparison.json`; the default metric of a task is accuracy."""
    rng = random.Random(2)
    metrics = metrics or {}
    has_one_metric = not metrics
    task_entries = {
        task: {
            "metric": (metric_name := metrics.get(task, "accuracy")),
            "higher_is_better": metric_name != "mae",
            "n": 100 + index,
            "margin": 0.01,
        }
        for index, task in enumerate(tasks)
    }
    return {
        "experiment": "made-up",
        "seeds": [1, 2, 3],
        "folds": None,
        "split_name": "test",
        "examples": 150,
        "confidence_level": 0.95,
        "reference": "single-task",
        "tasks": task_entries,
        "variants": [_build_variant(name, kind, tasks, task_entries, has_one_metric, rng) for name, kind in variants],
        "families": {"tasks": {"size": 7 * len(tasks), "correction": "benjamini-hochberg"}},
        "summary": ["Together is better overall.", "No task suffered <b>much</b>."],
    }


def _build_variant(
    name: str,
    kind: str,
    tasks: Sequence[str],
    task_entries: Mapping[str, Any],
    has_one_metric: bool,
    rng: random.Random,
) -> dict[str, Any]:
    def estimate(mean: float, half_width: float) -> dict[str, Any]:
        return {"mean": mean, "low": mean - half_width, "high": mean + half_width * 1.1, "seeds": [mean] * 3}

    def difference(higher_is_better: bool) -> dict[str, Any]:
        mean, half_width = rng.uniform(-0.04, 0.06), rng.uniform(0.01, 0.04)
        low, high = mean - half_width, mean + half_width
        verdict = "improved" if (low > 0) == higher_is_better else "degraded"
        return {
            "mean": mean,
            "low": low,
            "high": high,
            "seeds": [mean] * 3,
            "discordant": 12,
            "p_value": 0.2 if low <= 0 <= high else 0.01,
            "adjusted_p_value": 0.4 if low <= 0 <= high else 0.02,
            "family": "tasks",
            "verdict": "not resolved" if low <= 0 <= high else verdict,
        }

    is_single_task = kind == "single-task"
    differences = {task: difference(task_entries[task]["higher_is_better"]) for task in tasks}
    return {
        "name": name,
        "kind": kind,
        "overrides": ["weighting=uncertainty"] if kind == "variant" else [],
        "tasks": {task: estimate(rng.uniform(0.4, 0.8), 0.03) for task in tasks},
        "overall": estimate(rng.uniform(0.5, 0.7), 0.02) if has_one_metric else None,
        "delta_m": None if is_single_task else {"mean": rng.uniform(-3, 5), "low": -4.0, "high": 6.0},
        "differences_from_reference": None
        if is_single_task
        else {**differences, **({"overall": difference(True)} if has_one_metric else {})},
        "differences_from_equal_weights": None,
        "parameters": 0 if kind == "majority" else 123_456,
        "train_s": 12.5,
        "inference_ms": 0.25,
        "runs": [] if kind == "majority" else [f"runs/{name}-seed1"],
    }


def write_json(folder: Path, name: str, content: Mapping[str, Any]) -> Path:
    """Write a JSON file into a folder; create the folder if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
