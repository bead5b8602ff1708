"""The contents of a run directory that its report uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.report.figures_of import PartFigures
from mtl_core.report.interactions import Interactions


@dataclass(frozen=True)
class Deviation:
    """The label whose proportion differs most between training and validation data, in percentage points."""

    task: str
    label: str
    points: float


@dataclass(frozen=True)
class DataFacts:
    """A summary of the data, as stored under `data` in `metrics.json`."""

    notice: str
    findings: Sequence[str]
    examples: Mapping[str, int]
    label_counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    deviation: Deviation | None


@dataclass(frozen=True)
class Epoch:
    """One row of `history.csv`.

    Attributes:
        stage: `selection` or `refit`.
        number: The epoch, counted from 1.
        losses: Task name to its training loss.
        weights: Task name to its mean loss weight, if it is reported.
        validation: `(task name, metric)` to the value; the task name is `overall` for all tasks pooled.
    """

    stage: str
    number: int
    losses: Mapping[str, float | None]
    weights: Mapping[str, float | None]
    validation: Mapping[tuple[str, str], float | None]


@dataclass(frozen=True)
class Cost:
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
class RunFiles:
    """The contents of a run directory that its report uses.

    Attributes:
        experiment: The name of the experiment.
        seed: The seed of the run.
        config: The text of the resolved config file.
        data: The summary of the data.
        parameters: Number of trainable parameters.
        best_epoch: The selected epoch, counted from 1.
        best_score: The validation score of that epoch; None without validation data.
        parts: The metrics per split, the main split first.
        history: The epochs.
        classes: Task name to its classes, in the order of confusion matrices; empty for regression.
        timing: Timings, as in `metrics.json`.
        costs: The costs of auxiliary tasks.
        started: For a warm start, the run and the number of parameters loaded from it; None otherwise.
        mistakes: The most confident mistakes; None if the run has no such file.
        interactions: The interactions of tasks; None if the run has no such file.
        predictions: The path of the predictions; None if nothing was predicted.
    """

    experiment: str
    seed: int
    config: str
    data: DataFacts
    parameters: int
    best_epoch: int
    best_score: float | None
    parts: Sequence[PartFigures]
    history: Sequence[Epoch]
    classes: Mapping[str, Sequence[str]]
    timing: Mapping[str, float | None]
    costs: Sequence[Cost]
    started: tuple[str, int] | None
    mistakes: Sequence[Mistake] | None
    interactions: Interactions | None
    predictions: Path | None

    @property
    def judged(self) -> PartFigures | None:
        """The metrics on the main split: test, or validation without test data; None if nothing was evaluated."""
        return self.parts[0] if self.parts else None
