"""The contents of a run directory that its report uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.reporting.read_interactions import TaskInteractions
from mtl_core.reporting.task_metrics import SplitMetrics


@dataclass(frozen=True)
class LabelImbalance:
    """The label whose proportion differs most between training and validation data, in percentage points."""

    task: str
    label: str
    percentage_points: float


@dataclass(frozen=True)
class DataSummary:
    """A summary of the data, as stored under `data` in `metrics.json`."""

    disclaimer: str
    warnings: Sequence[str]
    example_counts: Mapping[str, int]
    label_counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    largest_imbalance: LabelImbalance | None


@dataclass(frozen=True)
class Epoch:
    """One row of `history.csv`.

    Attributes:
        stage: `selection` or `refit`.
        epoch: The epoch, counted from 1.
        losses: Task name to its training loss.
        loss_weights: Task name to its mean loss weight, if it is reported.
        validation_metrics: `(task name, metric)` to the value; the task name is `overall` for all tasks pooled.
    """

    stage: str
    epoch: int
    losses: Mapping[str, float | None]
    loss_weights: Mapping[str, float | None]
    validation_metrics: Mapping[tuple[str, str], float | None]


@dataclass(frozen=True)
class AuxiliaryCost:
    """The cost of an auxiliary task, as stored under `auxiliary` in `metrics.json`."""

    name: str
    weight: float
    parameters: int
    step_ms: float
    without_ms: float
    measurable: bool


@dataclass(frozen=True)
class Mistake:
    """One line of `mistakes.jsonl`; `attention` is empty if the head has none."""

    task: str
    id: str
    text: str
    label: str
    gold: str
    confidence: float
    tokens: Sequence[str]
    attention: Sequence[float]


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
        history: The epochs.
        classes: Task name to its classes, in the order of confusion matrices; empty for regression.
        timing: Timings, as in `metrics.json`.
        auxiliary_costs: The costs of auxiliary tasks.
        warm_start: For a warm start, the run and the number of parameters loaded from it; None otherwise.
        mistakes: The most confident mistakes; None if the run has no such file.
        interactions: The interactions of tasks; None if the run has no such file.
        predictions_path: The path of the predictions; None if nothing was predicted.
    """

    experiment: str
    seed: int
    config_text: str
    data: DataSummary
    parameters: int
    best_epoch: int
    best_score: float | None
    splits: Sequence[SplitMetrics]
    history: Sequence[Epoch]
    classes: Mapping[str, Sequence[str]]
    timing: Mapping[str, float | None]
    auxiliary_costs: Sequence[AuxiliaryCost]
    warm_start: tuple[str, int] | None
    mistakes: Sequence[Mistake] | None
    interactions: TaskInteractions | None
    predictions_path: Path | None

    @property
    def main_split(self) -> SplitMetrics | None:
        """The metrics on the main split: test, or validation without test data; None if nothing was evaluated."""
        return self.splits[0] if self.splits else None
