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

from mtl_core.data.corpus import Part
from mtl_core.data.label_space import members
from mtl_core.evaluation.scores import Scores, TaskScore
from mtl_core.runs.prepare import Prepared
from mtl_core.training.batches import Rows


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


def peak_memory_mb() -> float | None:
    """Return the peak memory of this process, in megabytes of 1,000,000 bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def data_report(prepared: Prepared) -> dict[str, Any]:
    """Build the `data` section of `metrics.json`: counts per split of examples and labels, also masked ones."""
    parts: dict[Part, Rows] = {
        "train": prepared.split.speaking(prepared.split.train),
        "validation": prepared.split.validation,
        "test": prepared.split.test,
    }
    parts = {part: rows for part, rows in parts.items() if len(rows)}
    worst = prepared.split.worst
    return {
        "notice": prepared.corpus.notice,
        "findings": list(prepared.findings),
        "examples": {part: len(rows) for part, rows in parts.items()},
        "label_counts": {part: _label_counts(prepared, rows) for part, rows in parts.items()},
        "split_deviation": worst and {"task": worst.task, "label": worst.label, "points": worst.points},
    }


def _label_counts(prepared: Prepared, rows: Rows) -> dict[str, dict[str, int]]:
    counts = {}
    for task in prepared.tasks:
        if task.auxiliary is not None or task.name not in prepared.labels:
            continue
        column = prepared.labels[task.name]
        held = [column[row] for row in rows.tolist()]
        names = list(task.space.classes)
        if not names:
            known = [label for label in held if label is not None]
            of_tokens = task.declared.kind.level == "token"
            counts[task.name] = {"labels": sum(len(members(label)) for label in known) if of_tokens else len(known)}
            continue
        found = Counter(str(member) for label in held if label is not None for member in members(label))
        counts[task.name] = {name: found[name] for name in [*names, *sorted(set(found) - set(names))]}
    return counts


def scores_report(scores: Scores) -> dict[str, Any]:
    """Format scores as in `metrics.json`: undefined metrics are null, with their count."""
    report = {
        "tasks": {name: _task_report(score) for name, score in scores.tasks.items()},
        "overall": _task_report(scores.overall),
    }
    if scores.auxiliary:
        report["auxiliary"] = {name: _task_report(score) for name, score in scores.auxiliary.items()}
    if "detection_f1" in scores.overall.figures:
        report["detection"] = _detection_report(scores.overall)
    return report


def _detection_report(overall: TaskScore) -> dict[str, Any]:
    """Return the micro-averaged detection metrics over all detection tasks, under their names in the literature."""
    keys = {"precision": "detection_precision", "recall": "detection_recall", "micro_f1": "detection_f1"}
    return {name: overall.figures[key].value for name, key in keys.items() if key in overall.figures}


def lower_is_better(scores: Iterable[Scores]) -> list[str]:
    """Return the sorted names of metrics for which lower values are better."""
    tasks = [score for part in scores for score in (*part.tasks.values(), *part.auxiliary.values())]
    figures = [pair for task in tasks for pair in task.figures.items()]
    return sorted({name for name, figure in figures if figure.scalar and not figure.higher_is_better})


def _task_report(score: TaskScore) -> dict[str, Any]:
    report: dict[str, Any] = {"n": score.n}
    for name, figure in score.figures.items():
        if name == "accuracy" and isinstance(figure.value, float):
            report["correct"] = round(figure.value * figure.n)
        elif name == "accuracy":
            report["correct"] = 0
        report[name] = figure.value
        if figure.scalar and figure.pooled:
            report[f"majority_{name}"] = figure.baseline
        elif figure.scalar:
            report[f"baseline_{name}"] = figure.baseline
        if figure.n != score.n:
            report[f"{name}_n"] = figure.n
    return report


def history_csv(rows: Sequence[Mapping[str, Any]]) -> str:
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


def json_text(report: dict[str, Any]) -> str:
    """Serialize a report as indented JSON; NaN raises a ValueError."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rows_of(prepared: Prepared, part: Part) -> Rows:
    """Return the row indices of a split, `(n,)`, int64."""
    found: Rows = np.asarray(getattr(prepared.split, part))
    return found
