"""The schema of a model card as JSON."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _CardModel(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class MetricResult(_CardModel):
    """A metric of a task."""

    value: float | None
    """The value; null if it is undefined."""
    baseline: float | None
    """The value of a baseline that ignores the inputs."""
    n: int
    """The number of labels that it is computed on."""


class ClassMetrics(_CardModel):
    """The metrics of one class."""

    name: str
    n: int
    """The number of true labels of the class."""
    recall: float | None
    """The share of its true labels that are predicted correctly."""
    precision: float | None
    """The share of its predictions that are correct."""


class TaskSplitMetrics(_CardModel):
    """The metrics of a task on one split of the data."""

    n: int
    """The number of labels that count."""
    metrics: dict[str, MetricResult]
    """Maps each metric to its value."""
    classes: list[ClassMetrics]
    """The metrics per class; empty without a confusion matrix."""


class TaskCard(_CardModel):
    """A task."""

    name: str
    kind: str
    """The kind of its labels: `classification`, `regression`, …"""
    classes: list[str]
    """The classes; empty for numbers."""
    label_counts: dict[str, dict[str, int]]
    """Maps each split and label to the number of labels."""
    splits: dict[str, TaskSplitMetrics]
    """Maps each split to metrics."""


class ModelCard(_CardModel):
    """The model card: intended use, data, metrics and limitations of the network."""

    name: str
    """The experiment's name."""
    headline: str
    """The performance of the network, in one sentence."""
    disclaimer: str
    """A disclaimer to show with all scores; may be empty."""
    use: list[str]
    """Intended and unintended use."""
    parameters: int
    seed: int
    tasks: list[TaskCard]
    data: dict[str, Any]
    """`examples`: the number of examples per split; `warnings`: warnings about the data."""
    components: dict[str, str]
    """The parts of the network, and how it was trained."""
    calibration: list[dict[str, Any]]
    """The calibration errors before and after calibration; empty without calibration."""
    limitations: list[str]
    """The limitations."""
    licences: list[str]
    """Notes on the licences of data and weights."""
