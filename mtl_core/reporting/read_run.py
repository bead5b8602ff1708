"""Read the files of a run directory for its report; neither the data nor plugins are required."""

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import read_json, read_json_lines, read_text, wrap_parse_errors
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.reporting.read_interactions import read_interactions
from mtl_core.reporting.run_artifacts import (
    AuxiliaryCost,
    DataSummary,
    Epoch,
    LabelImbalance,
    Mistake,
    RunArtifacts,
)
from mtl_core.reporting.task_metrics import SplitMetrics, parse_task_metrics

SPLITS = ("test", "validation")
"""Splits with metrics; the first that a run has is its main split."""


def read_run(path: Path) -> RunArtifacts:
    """Read a complete run.

    Args:
        path: The run directory.

    Raises:
        MtlError: If there is no such run, it is not complete, or a file is damaged.
    """
    run = RunDirectory.open(path)
    for required_file in (run.metrics, run.history, run.state):
        run.require_file(required_file)
    metrics = read_json(run.metrics)
    with wrap_parse_errors(run.metrics):
        data = _parse_data(metrics["data"])
        splits = _parse_splits(metrics, data.example_counts)
        model, warm_start = metrics["model"], metrics.get("start")
        return RunArtifacts(
            experiment=str(metrics["experiment"]),
            seed=int(metrics["seed"]),
            config_text=read_text(run.config),
            data=data,
            parameters=int(model["parameters"]),
            best_epoch=int(model["best_epoch"]),
            best_score=_to_optional_float(model["best_score"]),
            splits=splits,
            history=_read_history(run.history),
            classes=_read_classes(run),
            timing={name: _to_optional_float(value) for name, value in metrics["timing"].items()},
            auxiliary_costs=[_parse_cost(entry) for entry in metrics.get("auxiliary", {}).values()],
            warm_start=None if warm_start is None else (str(warm_start["run"]), int(warm_start["numbers"])),
            mistakes=_read_mistakes(run.mistakes),
            interactions=read_interactions(run.interactions),
            predictions_path=run.require_file(run.predictions) if splits else None,
        )


def _read_classes(run: RunDirectory) -> dict[str, list[str]]:
    state = run.read_state()
    with wrap_parse_errors(run.state):
        return {task["name"]: list(task["space"].get("classes", ())) for task in state["tasks"]}


def _parse_data(entry: Mapping[str, Any]) -> DataSummary:
    imbalance = entry.get("split_deviation")
    return DataSummary(
        str(entry["disclaimer"]),
        [str(warning) for warning in entry["warnings"]],
        {split_name: int(number) for split_name, number in entry["examples"].items()},
        {
            split_name: {
                task: {label: int(number) for label, number in counts.items()} for task, counts in tasks.items()
            }
            for split_name, tasks in entry["label_counts"].items()
        },
        LabelImbalance(str(imbalance["task"]), str(imbalance["label"]), float(imbalance["points"]))
        if imbalance
        else None,
    )


def _parse_splits(metrics: Mapping[str, Any], examples: Mapping[str, int]) -> list[SplitMetrics]:
    lower_is_better_metrics = frozenset(metrics.get("lower_is_better", ()))
    return [
        SplitMetrics(
            split_name,
            examples[split_name],
            [
                parse_task_metrics(name, entry, lower_is_better_metrics)
                for name, entry in split_entry["tasks"].items()
            ],
            parse_task_metrics("overall", split_entry["overall"], lower_is_better_metrics),
            [
                parse_task_metrics(name, entry, lower_is_better_metrics)
                for name, entry in split_entry.get("auxiliary", {}).items()
            ],
        )
        for split_name in SPLITS
        if (split_entry := metrics["splits"].get(split_name)) is not None
    ]


def _parse_cost(entry: Mapping[str, Any]) -> AuxiliaryCost:
    return AuxiliaryCost(
        str(entry["name"]),
        float(entry["weight"]),
        int(entry["parameters"]),
        float(entry["step_ms"]),
        float(entry["without_ms"]),
        bool(entry["measurable"]),
    )


def _read_history(path: Path) -> list[Epoch]:
    with wrap_parse_errors(path):
        return [_parse_epoch(row) for row in csv.DictReader(StringIO(read_text(path)))]


def _parse_epoch(row: Mapping[str, str]) -> Epoch:
    losses: dict[str, float | None] = {}
    weights: dict[str, float | None] = {}
    validation: dict[tuple[str, str], float | None] = {}
    for column, cell in row.items():
        stage, _, task_and_metric = column.partition(".")
        task, _, metric = task_and_metric.rpartition(".")
        if stage == "train" and metric == "loss":
            losses[task] = _parse_cell(cell)
        elif stage == "train" and metric == "weight":
            weights[task] = _parse_cell(cell)
        elif stage == "validation":
            validation[task, metric] = _parse_cell(cell)
    return Epoch(row["stage"], int(row["epoch"]), losses, weights, validation)


def _parse_cell(text: str) -> float | None:
    return float(text) if text else None


def _read_mistakes(path: Path) -> list[Mistake] | None:
    if not path.is_file():
        return None
    with wrap_parse_errors(path):
        return [_parse_mistake(record) for record in read_json_lines(path)]


def _parse_mistake(record: Mapping[str, Any]) -> Mistake:
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


def _to_optional_float(value: Any) -> float | None:
    return None if value is None else float(value)
