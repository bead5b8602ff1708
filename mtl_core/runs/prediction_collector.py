"""Decoding of network outputs to predictions per example."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.input_format import format_input
from mtl_core.data.subwords import find_first_subwords, sum_per_token
from mtl_core.data.task_groups import TaskGroup
from mtl_core.evaluation.inference import BatchOutputs
from mtl_core.nn.task_kind import LabelPrediction
from mtl_core.runs.predicted_masks import MaskWriter
from mtl_core.runs.prediction import Prediction, TaskPrediction, convert_cells, format_gold_label


@dataclass
class PredictionCollector:
    """Predictions for a set of examples, collected per batch.

    Attributes:
        groups: The head groups.
        predicted_groups: Whether to include the predictions of each group.
        encoder: The encoder, which maps tokens to words.
        items: The encoded inputs of the examples.
        keep_attention: Whether to include attention weights.
        task_names: The tasks to decode; None for all tasks of the predicted groups.
    """

    groups: Sequence[TaskGroup]
    predicted_groups: Sequence[bool]
    encoder: Encoder[Any, Any]
    items: Sequence[Any]
    keep_attention: bool = False
    task_names: Collection[str] | None = None
    _predictions: dict[int, dict[str, TaskPrediction]] = field(default_factory=dict)

    def add(self, batch_outputs: BatchOutputs) -> None:
        """Decode and add the outputs of a batch."""
        lengths = [self.encoder.length(self.items[row]) for row in batch_outputs.rows.tolist()]
        for row in batch_outputs.rows.tolist():
            self._predictions[row] = {}
        for group, is_predicted, output in zip(self.groups, self.predicted_groups, batch_outputs.groups, strict=True):
            if not is_predicted or output is None:
                continue
            attention = output.attention.float().cpu() if self.keep_attention and output.attention is not None else None
            for column, task in enumerate(group.tasks):
                if self.task_names is not None and task.name not in self.task_names:
                    continue
                if task.config.kind.level == "pixel":
                    for index, row in enumerate(batch_outputs.rows.tolist()):
                        self._predictions[row][task.name] = self._decode_mask(task, output.outputs[index, column])
                    continue
                predictions = _decode(task, output.outputs[:, column].cpu(), lengths)
                is_token_level = task.config.kind.level == "token"
                for index, row in enumerate(batch_outputs.rows.tolist()):
                    weights = None if attention is None else attention[index, column, : lengths[index]].tolist()
                    self._predictions[row][task.name] = TaskPrediction(
                        predictions[index], weights, is_token_level, task.kind.absent_label
                    )

    def pop_prediction(self, index: int, example_id: str, value: object, parsed: Any) -> Prediction:
        """Return the prediction for one example, and remove it from memory.

        Args:
            index: Index of the example in `items`.
            example_id: The id of the example.
            value: The input of the example: its text, a row of cells, or any other.
            parsed: The parsed input of the example.
        """
        predictions = self._predictions.pop(index)
        task_predictions = {
            task.name: predictions[task.name]
            for group in self.groups
            for task in group.tasks
            if task.name in predictions
        }
        tokens = self._get_tokens(parsed)
        subwords = self.encoder.subword_to_token(parsed) if tokens else None
        if subwords is not None:
            task_predictions = {
                task: _merge_subwords(prediction, subwords) for task, prediction in task_predictions.items()
            }
        inputs = convert_cells(value) if isinstance(value, Mapping) else None
        return Prediction(example_id, format_input(value), task_predictions, tokens, inputs)

    def pop_record(
        self,
        index: int,
        corpus: Corpus,
        row: int,
        labels: Mapping[str, Sequence[Label | None]],
        parsed: Any,
        mask_writer: MaskWriter | None = None,
    ) -> dict[str, Any]:
        """Return the record of one example as in `predictions.jsonl`, and remove its prediction from memory.

        Args:
            index: Index of the example in `items`.
            corpus: The corpus that contains the example.
            row: Row index of the example in the corpus.
            labels: Task name to labels, one per row of the corpus, for tasks whose labels are known.
            parsed: The parsed input of the example.
            mask_writer: Writes predicted masks; None to leave them out.
        """
        prediction = self.pop_prediction(index, corpus.ids[row], corpus.inputs[row], parsed)
        if mask_writer is not None:
            prediction = mask_writer.write(prediction)
        return prediction.to_record(gold=self.get_gold_labels(row, labels, parsed))

    def get_gold_labels(self, row: int, labels: Mapping[str, Sequence[Label | None]], parsed: Any) -> dict[str, Any]:
        """Return task name to true label of an example, in the form of predicted labels."""
        gold = {}
        for task in (task for group in self.groups for task in group.tasks):
            label = labels[task.name][row] if len(labels.get(task.name, ())) else None
            if label is not None and task.config.kind.level == "token":
                label = self._select_token_labels(label, parsed)
            if label is not None:
                gold[task.name] = format_gold_label(task, label)
        return gold

    def _decode_mask(self, task: FittedTask, outputs: torch.Tensor) -> TaskPrediction:
        """Decode the outputs `(pixels, outputs)` of an image as a mask."""
        size = self.encoder.image_size
        assert size is not None  # noqa: S101  otherwise the head is not built
        pixels = task.kind.decode_mask(outputs.float())
        mask = pixels.reshape(*size, *pixels.shape[1:])
        return TaskPrediction([], mask=mask, mask_summary=task.kind.summarize_mask(mask))

    def _select_token_labels(self, gold: Label, parsed: Any) -> Label:
        """Select the word labels of the tokens that the network reads; unchanged if there is not one per word."""
        if not isinstance(gold, list | tuple) or len(gold) != len(self.encoder.words(parsed)):
            return gold
        return [gold[index] for index in self.encoder.token_to_word(parsed)]

    def _get_tokens(self, parsed: Any) -> list[str]:
        """Return the tokens if predictions or attention weights refer to tokens, else an empty list."""
        needs_tokens = self.keep_attention or any(
            is_predicted and group.tasks[0].config.kind.level == "token"
            for group, is_predicted in zip(self.groups, self.predicted_groups, strict=True)
        )
        return self.encoder.tokens(parsed) if needs_tokens else []


def _merge_subwords(prediction: TaskPrediction, subwords: Sequence[int]) -> TaskPrediction:
    """Convert subword predictions to token predictions: labels of first subwords, summed attention weights."""
    predictions, weights = prediction.predictions, prediction.attention
    if prediction.is_token_level:
        predictions = [predictions[index] for index in find_first_subwords(subwords)]
    return replace(
        prediction,
        predictions=predictions,
        attention=None if weights is None else sum_per_token(weights, subwords),
    )


def _decode(task: FittedTask, outputs: torch.Tensor, lengths: Sequence[int]) -> list[list[LabelPrediction]]:
    kind = task.kind
    if task.config.kind.level == "example":
        return [[prediction] for prediction in kind.decode(outputs)]
    flat = kind.decode(torch.cat([row[:length] for row, length in zip(outputs, lengths, strict=True)]))
    predictions, start = [], 0
    for length in lengths:
        predictions.append(flat[start : start + length])
        start += length
    return predictions
