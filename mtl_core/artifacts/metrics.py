"""Parts of `metrics.json`: field names are its keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import parse_schema

OVERALL = "overall"
"""The name of the scores of all tasks, next to the names of tasks."""
MEAN = "mean"
"""The key of the means over tasks in the entry of a split."""


@dataclass(frozen=True)
class Imbalance:
    """The (task, class) whose share differs most between training and validation.

    Attributes:
        task: Name of the label column.
        label: The class.
        points: Difference in percentage points between the shares of examples with this label in the two splits.
    """

    task: str
    label: str
    points: float


@dataclass(frozen=True)
class DataReport:
    """The entry `data`: a summary of the data.

    Attributes:
        disclaimer: A disclaimer to show with all scores; may be empty.
        warnings: Warnings about the data.
        examples: Split name to number of examples.
        label_counts: Split, task and label to number of labels, masked ones included.
        split_deviation: The largest imbalance between training and validation; None without validation data.
    """

    disclaimer: str
    warnings: Sequence[str]
    examples: Mapping[str, int]
    label_counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    split_deviation: Imbalance | None = None


@dataclass(frozen=True)
class MeanScore:
    """An entry of `splits.<part>.mean`: the mean of one metric over the main tasks, in which every task counts once.

    Attributes:
        value: The mean over the tasks whose value is defined; None if there is none.
        baseline: The mean of the baselines of these tasks, where defined; None if there is none.
        n_tasks: Number of tasks in the mean.
    """

    value: float | None
    baseline: float | None
    n_tasks: int


def parse_mean_scores(split: Mapping[str, Any], path: Path) -> dict[str, MeanScore]:
    """Parse the means over tasks of a split of `metrics.json`; empty for files of runs that have none.

    Args:
        split: The entry `splits.<part>`.
        path: The file, for messages.

    Raises:
        MtlError: If the entry has another form.
    """
    return parse_schema(dict[str, MeanScore], split.get(MEAN, {}), path)


@dataclass(frozen=True)
class Timing:
    """The entry `timing`: seconds per stage, speed of training and inference, and peak memory of the process.

    Attributes:
        peak_memory_mb: Peak main memory of the process in megabytes; None where the system does not report it.
        interactions_s: Seconds spent measuring task interactions; not part of `train_s`.
        inference_ms: Milliseconds per example of the network in one thread; None without examples.
    """

    load_s: float
    encode_s: float
    train_s: float
    evaluate_s: float
    train_examples_per_s: float
    peak_memory_mb: float | None
    inference_ms: float | None
    interactions_s: float


@dataclass(frozen=True)
class CalibrationError:
    """The expected calibration error of one kind of decision, over all tasks that make it.

    Attributes:
        n: Number of predictions.
        before: The expected calibration error without calibration.
        after: The error with calibration, on the same labels that calibration was fitted on.
    """

    n: int
    before: float | None
    after: float | None


@dataclass(frozen=True)
class AuxiliaryCost:
    """The cost of one auxiliary task, an entry of `auxiliary`.

    Attributes:
        name: The task.
        weight: The initial weight of its loss, before any schedule.
        parameters: Number of task-specific parameters: in the heads and in task-specific features.
        step_ms: Milliseconds per forward and backward pass with all tasks.
        without_ms: The same without this task.
        measurable: Whether the difference exceeds the noise of such timings.
    """

    name: str
    weight: float
    parameters: int
    step_ms: float
    without_ms: float
    measurable: bool


def get_baseline_key(metric: str, is_proportion: bool) -> str:
    """Return the key of a metric's baseline in the entry of a task; proportions have a majority-class baseline."""
    return f"{'majority' if is_proportion else 'baseline'}_{metric}"


def get_count_key(metric: str) -> str:
    """Return the key of the number of labels of a metric that is not computed on all labels of the task."""
    return f"{metric}_n"
