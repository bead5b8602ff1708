"""The contents of a run directory that its report uses; neither the data nor plugins are required."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.history import History
from mtl_core.artifacts.interactions import TaskInteractions, read_interactions
from mtl_core.artifacts.json_files import parse_schema, read_json, read_text, wrap_parse_errors
from mtl_core.artifacts.metrics import AuxiliaryCost, DataReport, Timing, parse_mean_scores
from mtl_core.artifacts.mistakes import Mistake, read_mistakes
from mtl_core.artifacts.network_files import open_network_run
from mtl_core.artifacts.pictures import Picture, read_pictures
from mtl_core.artifacts.provenance import Provenance, read_provenance
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.yaml_file import read_yaml
from mtl_core.reporting.task_metrics import SplitMetrics, parse_split_metrics

SPLITS = ("test", "validation")
"""Splits with metrics; the first that a run has is its main split."""


@dataclass(frozen=True)
class RunArtifacts:
    """The contents of a run directory that its report uses.

    Attributes:
        experiment: The name of the experiment.
        seed: The seed of the run.
        config_text: The text of the resolved config file.
        data: The summary of the data.
        parameters: Number of trainable parameters.
        best_epoch: The selected epoch, counted from 1.
        best_score: The validation score of that epoch; None without validation data.
        splits: The metrics per split, the main split first.
        history: The epochs of both trainings.
        classes: Task name to its classes, in the order of confusion matrices; empty for regression.
        timing: The seconds per stage, and other measurements.
        auxiliary_costs: The costs of auxiliary tasks.
        warm_start: For a warm start, the run and the number of parameters loaded from it; None otherwise.
        mistakes: The most confident mistakes; None if the run has no such file.
        pictures: Examples that are images, with their predictions; none if the inputs are no images.
        interactions: The interactions of tasks; None if the run has no such file.
        predictions_path: The path of the predictions; None if nothing was predicted or written.
        provenance: The versions, the machine and the input files; None if the run has no such file.
    """

    experiment: str
    seed: int
    config_text: str
    data: DataReport
    parameters: int
    best_epoch: int
    best_score: float | None
    splits: Sequence[SplitMetrics]
    history: History
    classes: Mapping[str, Sequence[str]]
    timing: Timing
    auxiliary_costs: Sequence[AuxiliaryCost]
    warm_start: tuple[str, int] | None
    mistakes: Sequence[Mistake] | None
    pictures: Sequence[Picture]
    interactions: TaskInteractions | None
    predictions_path: Path | None
    provenance: Provenance | None

    @property
    def main_split(self) -> SplitMetrics | None:
        """The metrics on the main split: test, or validation without test data; None if nothing was evaluated."""
        return self.splits[0] if self.splits else None


def read_run(path: Path) -> RunArtifacts:
    """Read a complete run.

    Args:
        path: The run directory.

    Raises:
        MtlError: If there is no such run, it is not complete, or a file is damaged.
    """
    run = open_network_run(path)
    for required_file in (run.metrics, run.history, run.state):
        run.require_file(required_file)
    metrics = read_json(run.metrics)
    with wrap_parse_errors(run.metrics):
        data = parse_schema(DataReport, metrics["data"], run.metrics)
        splits = _parse_splits(metrics, data.examples, run.metrics)
        model, warm_start = metrics["model"], metrics.get("start")
        return RunArtifacts(
            experiment=str(metrics["experiment"]),
            seed=int(metrics["seed"]),
            config_text=read_text(run.config),
            data=data,
            parameters=int(model["parameters"]),
            best_epoch=int(model["best_epoch"]),
            best_score=None if model["best_score"] is None else float(model["best_score"]),
            splits=splits,
            history=History.read(run.history),
            classes=_read_classes(run),
            timing=parse_schema(Timing, {"peak_memory_mb": None, **metrics["timing"]}, run.metrics),
            auxiliary_costs=parse_schema(list[AuxiliaryCost], list(metrics.get("auxiliary", {}).values()), run.metrics),
            warm_start=None if warm_start is None else (str(warm_start["run"]), int(warm_start["numbers"])),
            mistakes=read_mistakes(run.mistakes),
            pictures=read_pictures(run.pictures),
            interactions=read_interactions(run.interactions),
            predictions_path=_find_predictions(run) if splits else None,
            provenance=read_provenance(run.provenance),
        )


def _find_predictions(run: RunDirectory) -> Path | None:
    """Return the file of predictions; None if the experiment wrote none.

    Raises:
        MtlError: If it is missing although the experiment wrote one.
    """
    path = run.find_predictions()
    if path is None and read_yaml(run.config).value.get("predictions") != "none":
        return run.require_file(run.predictions)
    return path


def _read_classes(run: RunDirectory) -> dict[str, list[str]]:
    state = run.read_state()
    with wrap_parse_errors(run.state):
        return {task["name"]: list(task["space"].get("classes", ())) for task in state["tasks"]}


def _parse_splits(metrics: Mapping[str, Any], examples: Mapping[str, int], path: Path) -> list[SplitMetrics]:
    lower_is_better = frozenset(metrics.get("lower_is_better", ()))
    return [
        parse_split_metrics(split_name, examples[split_name], entry, lower_is_better, parse_mean_scores(entry, path))
        for split_name in SPLITS
        if (entry := metrics["splits"].get(split_name)) is not None
    ]
