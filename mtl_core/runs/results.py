"""What is written about a run: metrics.json, history.csv, predictions.jsonl."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mtl_core.data.corpus import Corpus, Part
from mtl_core.data.encoder import Encoder
from mtl_core.evaluation.outputs import GroupOutputs
from mtl_core.evaluation.scores import Scores, TaskScore
from mtl_core.runs.prepare import Prepared
from mtl_core.training.batches import Rows
from mtl_core.training.groups import TaskGroup


@dataclass(frozen=True)
class Timing:
    """Seconds spent on each stage, and the speed of training."""

    load_s: float
    encode_s: float
    train_s: float
    evaluate_s: float
    train_examples_per_s: float


def data_report(prepared: Prepared) -> dict[str, Any]:
    """Count examples and labels of each part, masked labels under their own names."""
    parts: dict[Part, Rows] = {
        "train": prepared.split.train,
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
        column = prepared.corpus.labels[task.declared.column]
        found = Counter(str(column[row]) for row in rows if column[row] is not None)
        names = list(task.space.state().get("classes", []))
        counts[task.name] = {name: found[name] for name in [*names, *sorted(set(found) - set(names))]}
    return counts


def scores_report(scores: Scores) -> dict[str, Any]:
    """Lay scores out as in `metrics.json`: null for what is undefined, with its count."""
    return {
        "tasks": {name: _task_report(score) for name, score in scores.tasks.items()},
        "overall": _task_report(scores.overall),
    }


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


def prediction_records(
    corpus: Corpus,
    rows: Iterable[int],
    groups: Sequence[TaskGroup],
    outputs: Sequence[GroupOutputs],
    encoder: Encoder[Any, Any] | None = None,
    parsed: Sequence[Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Give one record an example, as in `predictions.jsonl`.

    Args:
        corpus: The examples.
        rows: Which of them.
        groups: The groups of tasks.
        outputs: What the network said about these rows, in their order.
        encoder: Names the tokens, if attention is to be told.
        parsed: The parsed inputs of these rows, for the same purpose.
    """
    decoded = {}
    for group, said in zip(groups, outputs, strict=True):
        for column, task in enumerate(group.tasks):
            decoded[task.name] = task.kind.decode(said.outputs[:, column])
    attention = attention_by_task(groups, outputs)
    columns = {task.name: task.declared.column for group in groups for task in group.tasks}
    for place, row in enumerate(rows):
        tasks = {}
        for name, predictions in decoded.items():
            entry: dict[str, Any] = {
                "label": predictions[place].label,
                "probabilities": {k: round(v, 6) for k, v in predictions[place].probabilities.items()},
            }
            labels = corpus.labels.get(columns[name])
            if labels is not None and labels[row] is not None:
                entry["gold"] = labels[row]
            if encoder is not None and parsed is not None and name in attention:
                entry["attention"] = [round(weight, 6) for weight in attention[name][place].tolist()]
            tasks[name] = entry
        record = {"id": corpus.ids[row], "text": corpus.text(row), "tasks": tasks}
        if encoder is not None and parsed is not None:
            record["tokens"] = encoder.tokens(parsed[place])
        yield record


def attention_by_task(
    groups: Sequence[TaskGroup], outputs: Sequence[GroupOutputs]
) -> dict[str, list[torch.Tensor]]:
    """Attention weights `(length,)` an example, for every task whose head has them."""
    found = {}
    for group, said in zip(groups, outputs, strict=True):
        if said.attention is not None:
            for column, task in enumerate(group.tasks):
                found[task.name] = [weights[column] for weights in said.attention]
    return found


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def json_text(report: dict[str, Any]) -> str:
    """JSON for people and scripts; a NaN would be a bug and is refused."""
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def rows_of(prepared: Prepared, part: Part) -> Rows:
    """Indices of a part."""
    found: Rows = np.asarray(getattr(prepared.split, part))
    return found
