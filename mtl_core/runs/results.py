"""What is written about a run: metrics.json, history.csv, predictions.jsonl."""

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
    """Seconds spent on each stage, the speed of training and answering, and the most memory that this process held.

    Attributes:
        peak_memory_mb: Megabytes of main memory since the process began; None where the system does not tell.
        interactions_s: What looking at tasks' influence on each other took; not part of `train_s`.
        inference_ms: Milliseconds of the network an example of the scored part, in one thread; None without one.
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
    """Ask the system for the most memory that this process has held, in megabytes of 1,000,000 bytes."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def data_report(prepared: Prepared) -> dict[str, Any]:
    """Count examples and labels of each part, masked labels under their own names."""
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
    """Lay scores out as in `metrics.json`: null for what is undefined, with its count."""
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
    """The micro figures of detection over all tasks that detect, as shared tasks of the field name them."""
    keys = {"precision": "detection_precision", "recall": "detection_recall", "micro_f1": "detection_f1"}
    return {name: overall.figures[key].value for name, key in keys.items() if key in overall.figures}


def lower_is_better(scores: Iterable[Scores]) -> list[str]:
    """Name the metrics of which a smaller figure is better, in order."""
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
    """One line an epoch; empty cells for what is undefined."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_json_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line."""
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")


def json_text(report: dict[str, Any]) -> str:
    """JSON for people and scripts; a NaN would be a bug and is refused."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rows_of(prepared: Prepared, part: Part) -> Rows:
    """Indices of a part."""
    found: Rows = np.asarray(getattr(prepared.split, part))
    return found
