"""Predictions for one input, as typed objects and as a line of `predictions.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from mtl_core.data.corpus import Label
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.input_format import convert_to_json, format_input
from mtl_core.data.masks import Mask
from mtl_core.nn.task_kind import LabelPrediction

TOKENS_KEY = "tokens"
INPUTS_KEY = "inputs"


@dataclass(frozen=True)
class TaskPrediction:
    """The prediction of one task for one input.

    Attributes:
        predictions: One prediction; for token-level tasks one prediction per token; empty for masks.
        attention: `(tokens,)`: attention weights, which sum to 1; None if they were not requested or the head has
            no attention.
        is_token_level: Whether the task labels tokens.
        absent_label: The absent label, which means that there is nothing to classify; None if the task has none.
        mask: `(height, width)`, or with channels last: the predicted mask of a task with labels per pixel, as class
            indices or numbers; None for other tasks.
        mask_summary: What records contain of the mask, besides its size.
        mask_file: The path of the file of the mask; None if it was not written.
    """

    predictions: Sequence[LabelPrediction]
    attention: Sequence[float] | None = None
    is_token_level: bool = False
    absent_label: str | None = None
    mask: NDArray[Any] | None = None
    mask_summary: Mapping[str, Any] = field(default_factory=dict)
    mask_file: str | None = None

    @property
    def label(self) -> Label:
        """The predicted label; for token-level tasks a list of labels, for pixel-level tasks a mask."""
        if self.mask is not None:
            return Mask(self.mask)
        if self.is_token_level:
            return [prediction.label for prediction in self.predictions]  # type: ignore[misc]  # token labels are not lists
        return self.predictions[0].label

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Class name to probability; empty for tasks without classes and for token-level tasks."""
        return {} if self.is_token_level or self.mask is not None else self.predictions[0].probabilities

    @property
    def is_present(self) -> bool:
        """Whether the predicted label is not the absent label."""
        return self.absent_label is None or self.label != self.absent_label

    @property
    def detection(self) -> float:
        """The probability that the label is not the absent label; 1 for tasks without an absent label."""
        return 1.0 if self.absent_label is None else 1 - self.probabilities[self.absent_label]

    def compute_present_probabilities(self) -> Mapping[str, float]:
        """Return the class probabilities given that the label is not the absent label; they sum to 1."""
        if self.absent_label is None:
            return self.probabilities
        probabilities = {name: value for name, value in self.probabilities.items() if name != self.absent_label}
        total = sum(probabilities.values())
        return {name: value / total if total else 1 / len(probabilities) for name, value in probabilities.items()}


@dataclass(frozen=True)
class Prediction:
    """The predictions of all tasks for one input.

    Attributes:
        id: The id of the input.
        text: The input as text.
        tasks: Task name to prediction, including tasks that predict the absent label.
        tokens: The tokens as written, if predictions or attention weights refer to tokens; otherwise empty.
        inputs: Input column to cell, as JSON values, if the input is a row of cells; None for other inputs.
    """

    id: str
    text: str
    tasks: Mapping[str, TaskPrediction]
    tokens: Sequence[str] = ()
    inputs: Mapping[str, Any] | None = None

    @property
    def present_tasks(self) -> Mapping[str, TaskPrediction]:
        """Task name to prediction, without the tasks that predict the absent label."""
        return {name: prediction for name, prediction in self.tasks.items() if prediction.is_present}

    def to_record(self, only_present: bool = False, gold: Mapping[str, Label | None] | None = None) -> dict[str, Any]:
        """Return the prediction as a JSON object, as in `predictions.jsonl`.

        Args:
            only_present: Leave out tasks that predict the absent label.
            gold: Task name to true label, for tasks whose label is known.
        """
        predictions = self.present_tasks if only_present else self.tasks
        tasks = {
            name: _build_task_record(prediction, (gold or {}).get(name)) for name, prediction in predictions.items()
        }
        record: dict[str, Any] = {"id": self.id, "text": self.text}
        if self.inputs is not None:
            record[INPUTS_KEY] = dict(self.inputs)
        record["tasks"] = tasks
        if self.tokens:
            record[TOKENS_KEY] = list(self.tokens)
        return record


def build_sample(example_id: str, value: object) -> dict[str, Any]:
    """Return an example as in a line of `predictions.jsonl`, without predictions.

    Args:
        example_id: The id of the example.
        value: Its input: a text, a row of cells, or any other.
    """
    record: dict[str, Any] = {"id": example_id, "text": format_input(value)}
    if isinstance(value, Mapping):
        record[INPUTS_KEY] = convert_cells(value)
    return record


def convert_cells(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the cells of an input to JSON values."""
    return {name: convert_to_json(cell) for name, cell in cells.items()}


def format_gold_label(task: FittedTask, label: Label) -> Any:
    """Convert a true label to the form of predicted labels: the number 5 becomes the class "5".

    A mask is its path; None if it was in memory only.
    """
    if task.config.kind.level == "pixel":
        return label if isinstance(label, str) else None
    if not task.space.classes:
        return list(label) if isinstance(label, tuple) else label
    if isinstance(label, list | tuple):
        return [None if member is None else str(member) for member in label]
    return str(label)


def _build_mask_record(task_prediction: TaskPrediction, mask: NDArray[Any], gold: Any) -> dict[str, Any]:
    """Return the path of a mask, its size and its summary: never a value per pixel."""
    entry = {
        "label": task_prediction.mask_file,
        "probabilities": {},
        "height": mask.shape[0],
        "width": mask.shape[1],
        **task_prediction.mask_summary,
    }
    return entry if gold is None else {**entry, "gold": gold}


def _build_task_record(task_prediction: TaskPrediction, gold: Any) -> dict[str, Any]:
    if task_prediction.mask is not None:
        return _build_mask_record(task_prediction, task_prediction.mask, gold)
    entry: dict[str, Any] = {
        "label": task_prediction.label,
        "probabilities": {name: round(value, 6) for name, value in task_prediction.probabilities.items()},
    }
    if task_prediction.absent_label is not None:
        entry["detection"] = round(task_prediction.detection, 6)
    if task_prediction.is_token_level and any(prediction.probabilities for prediction in task_prediction.predictions):
        entry["confidence"] = [
            round(max(prediction.probabilities.values()), 6) for prediction in task_prediction.predictions
        ]
    if gold is not None:
        entry["gold"] = gold
    if task_prediction.attention is not None:
        entry["attention"] = [round(weight, 6) for weight in task_prediction.attention]
    return entry
