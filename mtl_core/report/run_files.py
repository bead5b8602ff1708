"""What a run directory holds, as far as its report tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.report.figures_of import PartFigures
from mtl_core.report.interactions import Interactions


@dataclass(frozen=True)
class Deviation:
    """The label whose share differs most between training and validation data, in percentage points."""

    task: str
    label: str
    points: float


@dataclass(frozen=True)
class DataFacts:
    """What the data was: as under `data` in `metrics.json`."""

    notice: str
    findings: Sequence[str]
    examples: Mapping[str, int]
    label_counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    deviation: Deviation | None


@dataclass(frozen=True)
class Epoch:
    """A line of `history.csv`.

    Attributes:
        stage: `selection` or `refit`.
        number: Counted from 1.
        losses: Task to its training loss.
        weights: Task to what its loss counted in a step, where that is told.
        validation: `(task, metric)` to the figure; the task is `overall` for all together.
    """

    stage: str
    number: int
    losses: Mapping[str, float | None]
    weights: Mapping[str, float | None]
    validation: Mapping[tuple[str, str], float | None]


@dataclass(frozen=True)
class Cost:
    """What an auxiliary task costs: as under `auxiliary` in `metrics.json`."""

    name: str
    weight: float
    parameters: int
    step_ms: float
    without_ms: float
    measurable: bool


@dataclass(frozen=True)
class Mistake:
    """A line of `mistakes.jsonl`; `attention` is empty where the head has none."""

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
    """What a run directory holds, as far as its report tells it.

    Attributes:
        experiment: The experiment's name.
        seed: The run's seed.
        config: The resolved config, as it stands in the file.
        data: What the data was.
        parameters: Numbers that training can move.
        best_epoch: The epoch that was kept, counted from 1.
        best_score: The figure by which it was chosen; None without validation data.
        parts: What was measured, the part first that the run is judged by.
        history: The epochs.
        classes: Task to its classes, in the order of confusion matrices; empty for numbers.
        timing: As in `metrics.json`.
        costs: What auxiliary tasks cost.
        started: Numbers that were taken from another run, and that run; None if nothing was to be.
        mistakes: The most confident ones; None if the run has no such file.
        interactions: What tasks did to each other; None if the run has no such file.
        predictions: The file of predictions; None if nothing was predicted.
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
        """The part that the run is judged by: test data, or validation data if there is none."""
        return self.parts[0] if self.parts else None
