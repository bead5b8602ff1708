"""Read the files of a run directory for its report; neither the data nor plugins are required."""

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from mtl_core.report.figures_of import PartFigures, task_figures
from mtl_core.report.interactions import read_interactions
from mtl_core.report.json_files import json_lines, read_json, read_text, sound
from mtl_core.report.run_files import Cost, DataFacts, Deviation, Epoch, Mistake, RunFiles
from mtl_core.runs.directory import RunDirectory

PARTS = ("test", "validation")
"""Splits with metrics; the first that a run has is its main split."""


def read_run(path: Path) -> RunFiles:
    """Read a complete run.

    Args:
        path: The run directory.

    Raises:
        MtlError: If there is no such run, it is not complete, or a file is damaged.
    """
    run = RunDirectory.open(path)
    for needed in (run.metrics, run.history, run.state):
        run.require(needed)
    metrics = read_json(run.metrics)
    with sound(run.metrics):
        data = _data(metrics["data"])
        parts = _parts(metrics, data.examples)
        model, start = metrics["model"], metrics.get("start")
        return RunFiles(
            experiment=str(metrics["experiment"]),
            seed=int(metrics["seed"]),
            config=read_text(run.config),
            data=data,
            parameters=int(model["parameters"]),
            best_epoch=int(model["best_epoch"]),
            best_score=_number(model["best_score"]),
            parts=parts,
            history=_history(run.history),
            classes=_classes(run),
            timing={name: _number(value) for name, value in metrics["timing"].items()},
            costs=[_cost(entry) for entry in metrics.get("auxiliary", {}).values()],
            started=None if start is None else (str(start["run"]), int(start["numbers"])),
            mistakes=_mistakes(run.mistakes),
            interactions=read_interactions(run.interactions),
            predictions=run.require(run.predictions) if parts else None,
        )


def _classes(run: RunDirectory) -> dict[str, list[str]]:
    state = run.read_state()
    with sound(run.state):
        return {task["name"]: list(task["space"].get("classes", ())) for task in state["tasks"]}


def _data(found: Mapping[str, Any]) -> DataFacts:
    worst = found.get("split_deviation")
    return DataFacts(
        str(found["notice"]),
        [str(finding) for finding in found["findings"]],
        {part: int(number) for part, number in found["examples"].items()},
        {
            part: {task: {label: int(number) for label, number in counts.items()} for task, counts in tasks.items()}
            for part, tasks in found["label_counts"].items()
        },
        Deviation(str(worst["task"]), str(worst["label"]), float(worst["points"])) if worst else None,
    )


def _parts(metrics: Mapping[str, Any], examples: Mapping[str, int]) -> list[PartFigures]:
    lower = frozenset(metrics.get("lower_is_better", ()))
    return [
        PartFigures(
            part,
            examples[part],
            [task_figures(name, entry, lower) for name, entry in found["tasks"].items()],
            task_figures("overall", found["overall"], lower),
            [task_figures(name, entry, lower) for name, entry in found.get("auxiliary", {}).items()],
        )
        for part in PARTS
        if (found := metrics["splits"].get(part)) is not None
    ]


def _cost(entry: Mapping[str, Any]) -> Cost:
    return Cost(
        str(entry["name"]),
        float(entry["weight"]),
        int(entry["parameters"]),
        float(entry["step_ms"]),
        float(entry["without_ms"]),
        bool(entry["measurable"]),
    )


def _history(path: Path) -> list[Epoch]:
    with sound(path):
        return [_epoch(row) for row in csv.DictReader(StringIO(read_text(path)))]


def _epoch(row: Mapping[str, str]) -> Epoch:
    losses: dict[str, float | None] = {}
    weights: dict[str, float | None] = {}
    validation: dict[tuple[str, str], float | None] = {}
    for column, cell in row.items():
        stage, _, rest = column.partition(".")
        task, _, figure = rest.rpartition(".")
        if stage == "train" and figure == "loss":
            losses[task] = _cell(cell)
        elif stage == "train" and figure == "weight":
            weights[task] = _cell(cell)
        elif stage == "validation":
            validation[task, figure] = _cell(cell)
    return Epoch(row["stage"], int(row["epoch"]), losses, weights, validation)


def _cell(text: str) -> float | None:
    return float(text) if text else None


def _mistakes(path: Path) -> list[Mistake] | None:
    if not path.is_file():
        return None
    with sound(path):
        return [_mistake(record) for record in json_lines(path)]


def _mistake(record: Mapping[str, Any]) -> Mistake:
    tokens = [str(token) for token in record.get("tokens", ())]
    attention = [float(weight) for weight in record.get("attention", ())]
    return Mistake(
        str(record["task"]),
        str(record["id"]),
        str(record["text"]),
        str(record["label"]),
        str(record["gold"]),
        float(record["confidence"]),
        tokens,
        attention if len(attention) == len(tokens) else [],
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
