"""The entries of `metrics.json` on data and scores."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from mtl_core.artifacts.metrics import MEAN, DataReport, get_baseline_key, get_count_key
from mtl_core.data.batches import RowIndices
from mtl_core.data.column_operations import count_members, find_labelled, select_rows
from mtl_core.data.corpus import SplitName
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.label_space import flatten_label
from mtl_core.evaluation.scores import Scores, TaskScore


def build_data_report(data: FittedData) -> DataReport:
    """Build the `data` section of `metrics.json`: counts per split of examples and labels, also masked ones."""
    split_rows: dict[SplitName, RowIndices] = {
        "train": data.split.select_labelled(data.split.train),
        "validation": data.split.validation,
        "test": data.split.test,
    }
    split_rows = {split_name: rows for split_name, rows in split_rows.items() if len(rows)}
    return DataReport(
        data.corpus.disclaimer,
        list(data.warnings),
        {split_name: len(rows) for split_name, rows in split_rows.items()},
        {split_name: _count_labels(data, rows) for split_name, rows in split_rows.items()},
        data.split.largest_imbalance,
    )


def _count_labels(data: FittedData, rows: RowIndices) -> dict[str, dict[str, int]]:
    counts = {}
    for task in data.tasks:
        if task.auxiliary_spec is not None or task.name not in data.labels:
            continue
        labels = select_rows(data.labels[task.name], rows)
        if task.config.kind.level == "pixel":  # to count pixels would need a pass over all masks
            counts[task.name] = {"masks": int(find_labelled(labels).sum())}
        elif task.space.classes:
            members, names = count_members(labels), list(task.space.classes)
            counts[task.name] = {name: members.get(name, 0) for name in [*names, *sorted(set(members) - set(names))]}
        elif task.config.kind.level == "token":
            counts[task.name] = {"labels": sum(len(flatten_label(label)) for label in labels if label is not None)}
        else:
            counts[task.name] = {"labels": int(find_labelled(labels).sum())}
    return counts


def build_scores_report(scores: Scores) -> dict[str, Any]:
    """Format scores as in `metrics.json`: undefined metrics are null, with their count."""
    report = {
        "tasks": {name: _build_task_report(score) for name, score in scores.tasks.items()},
        "overall": _build_task_report(scores.overall),
        MEAN: {name: asdict(mean_score) for name, mean_score in scores.mean.items()},
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
        score for split_scores in scores for score in (*split_scores.tasks.values(), *split_scores.auxiliary.values())
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
        if metric.scalar:
            report[get_baseline_key(name, is_proportion=metric.pooled)] = metric.baseline
        if metric.n != score.n:
            report[get_count_key(name)] = metric.n
    return report


def get_split_rows(data: FittedData, split_name: SplitName) -> RowIndices:
    """Return the row indices of a split, `(n,)`, int64."""
    row_indices: RowIndices = np.asarray(getattr(data.split, split_name))
    return row_indices
