"""Formats of the result files of a run: metrics.json, history.csv, predictions.jsonl."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.data.batches import RowIndices
from mtl_core.data.corpus import SplitName
from mtl_core.data.label_space import flatten_label
from mtl_core.data.prepare import FittedData
from mtl_core.evaluation.scores import Scores, TaskScore


@dataclass(frozen=True)
class Timing:
    """Seconds per stage, speed of training and inference, and peak memory of this process.

    Attributes:
        peak_memory_mb: Peak main memory of the process in megabytes; None where the system does not report it.
        interactions_s: Seconds spent measuring task interactions; not part of `train_s`.
        inference_ms: Milliseconds per example of the network in one thread; None without examples.
    """

    load_s: float
    encode_s: float
    train_s: float
    evaluate_s: float
    train_examples_per_s: float
    peak_memory_mb: float | None
    inference_ms: float | None
    interactions_s: float


def measure_peak_memory_mb() -> float | None:
    """Return the peak memory of this process, in megabytes of 1,000,000 bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def build_data_report(data: FittedData) -> dict[str, Any]:
    """Build the `data` section of `metrics.json`: counts per split of examples and labels, also masked ones."""
    split_rows: dict[SplitName, RowIndices] = {
        "train": data.split.select_labelled(data.split.train),
        "validation": data.split.validation,
        "test": data.split.test,
    }
    split_rows = {split_name: rows for split_name, rows in split_rows.items() if len(rows)}
    largest_imbalance = data.split.largest_imbalance
    return {
        "disclaimer": data.corpus.disclaimer,
        "warnings": list(data.warnings),
        "examples": {split_name: len(rows) for split_name, rows in split_rows.items()},
        "label_counts": {split_name: _count_labels(data, rows) for split_name, rows in split_rows.items()},
        "split_deviation": largest_imbalance
        and {"task": largest_imbalance.task, "label": largest_imbalance.label, "points": largest_imbalance.points},
    }


def _count_labels(data: FittedData, rows: RowIndices) -> dict[str, dict[str, int]]:
    counts = {}
    for task in data.tasks:
        if task.auxiliary_spec is not None or task.name not in data.labels:
            continue
        column = data.labels[task.name]
        labels = [column[row] for row in rows.tolist()]
        names = list(task.space.classes)
        if not names:
            known = [label for label in labels if label is not None]
            is_token_level = task.config.kind.level == "token"
            counts[task.name] = {
                "labels": sum(len(flatten_label(label)) for label in known) if is_token_level else len(known)
            }
            continue
        counter = Counter(str(member) for label in labels if label is not None for member in flatten_label(label))
        counts[task.name] = {name: counter[name] for name in [*names, *sorted(set(counter) - set(names))]}
    return counts


def build_scores_report(scores: Scores) -> dict[str, Any]:
    """Format scores as in `metrics.json`: undefined metrics are null, with their count."""
    report = {
        "tasks": {name: _build_task_report(score) for name, score in scores.tasks.items()},
        "overall": _build_task_report(scores.overall),
    }
    if scores.auxiliary:
        report["auxiliary"] = {name: _build_task_report(score) for name, score in scores.auxiliary.items()}
    if "detection_f1" in scores.overall.metrics:
        report["detection"] = _build_detection_report(scores.overall)
    return report


def _build_detection_report(overall: TaskScore) -> dict[str, Any]:
    """Return the micro-averaged detection metrics over all detection tasks, under their names in the literature."""
    keys = {"precision": "detection_precision", "recall": "detection_recall", "micro_f1": "detection_f1"}
    return {name: overall.metrics[key].value for name, key in keys.items() if key in overall.metrics}


def find_lower_is_better(scores: Iterable[Scores]) -> list[str]:
    """Return the sorted names of metrics for which lower values are better."""
    tasks = [
        score
        for split_scores in scores
        for score in (*split_scores.tasks.values(), *split_scores.auxiliary.values())
    ]
    metrics = [pair for task in tasks for pair in task.metrics.items()]
    return sorted({name for name, metric in metrics if metric.scalar and not metric.higher_is_better})


def _build_task_report(score: TaskScore) -> dict[str, Any]:
    report: dict[str, Any] = {"n": score.n}
    for name, metric in score.metrics.items():
        if name == "accuracy" and isinstance(metric.value, float):
            report["correct"] = round(metric.value * metric.n)
        elif name == "accuracy":
            report["correct"] = 0
        report[name] = metric.value
        if metric.scalar and metric.pooled:
            report[f"majority_{name}"] = metric.baseline
        elif metric.scalar:
            report[f"baseline_{name}"] = metric.baseline
        if metric.n != score.n:
            report[f"{name}_n"] = metric.n
    return report


def format_history_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the history as CSV: one line per epoch, empty cells for undefined values."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_json_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object per line."""
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def dump_json(report: dict[str, Any]) -> str:
    """Serialize a report as indented JSON; NaN raises a ValueError."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def get_split_rows(data: FittedData, split_name: SplitName) -> RowIndices:
    """Return the row indices of a split, `(n,)`, int64."""
    row_indices: RowIndices = np.asarray(getattr(data.split, split_name))
    return row_indices
