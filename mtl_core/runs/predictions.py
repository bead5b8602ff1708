"""Decoding of network outputs to predictions per example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.data.pieces import first_pieces, summed_by_token
from mtl_core.evaluation.outputs import BatchOutputs
from mtl_core.runs.answers import Answer, TaskAnswer, gold_name
from mtl_core.training.groups import LearnedTask, TaskGroup
from mtl_core.training.kinds import Prediction


@dataclass
class Predictions:
    """Predictions for a set of examples, collected per batch.

    Attributes:
        groups: The head groups.
        answered: Whether to include the predictions of each group.
        encoder: The encoder, which maps tokens to words.
        items: The encoded inputs of the examples.
        keep_attention: Whether to include attention weights.
    """

    groups: Sequence[TaskGroup]
    answered: Sequence[bool]
    encoder: Encoder[Any, Any]
    items: Sequence[Any]
    keep_attention: bool = False
    _answers: dict[int, dict[str, TaskAnswer]] = field(default_factory=dict)

    def add(self, said: BatchOutputs) -> None:
        """Decode and add the outputs of a batch."""
        lengths = [self.encoder.length(self.items[row]) for row in said.rows.tolist()]
        for row in said.rows.tolist():
            self._answers[row] = {}
        for group, told, output in zip(self.groups, self.answered, said.groups, strict=True):
            if not told or output is None:
                continue
            attention = (
                output.attention.float().cpu() if self.keep_attention and output.attention is not None else None
            )
            for column, task in enumerate(group.tasks):
                answers = _decoded(task, output.outputs[:, column].cpu(), lengths)
                of_tokens = task.declared.kind.level == "token"
                for place, row in enumerate(said.rows.tolist()):
                    weights = None if attention is None else attention[place, column, : lengths[place]].tolist()
                    self._answers[row][task.name] = TaskAnswer(
                        answers[place], weights, of_tokens, task.kind.nothing
                    )

    def answer(self, place: int, name: str, text: str, parsed: Any) -> Answer:
        """Return the prediction for one example, and remove it from memory.

        Args:
            place: Index of the example in `items`.
            name: The id of the example.
            text: The example as text.
            parsed: The parsed input of the example.
        """
        said = self._answers.pop(place)
        ordered = {task.name: said[task.name] for group in self.groups for task in group.tasks if task.name in said}
        words = self._words(parsed)
        pieces = self.encoder.pieces(parsed) if words else None
        if pieces is not None:
            ordered = {task: _of_whole_tokens(answer, pieces) for task, answer in ordered.items()}
        return Answer(name, text, ordered, words)

    def record(
        self, place: int, corpus: Corpus, row: int, labels: Mapping[str, Sequence[Label | None]], parsed: Any
    ) -> dict[str, Any]:
        """Return the record of one example as in `predictions.jsonl`, and remove its prediction from memory.

        Args:
            place: Index of the example in `items`.
            corpus: The corpus that contains the example.
            row: Row index of the example in the corpus.
            labels: Task name to labels, one per row of the corpus, for tasks whose labels are known.
            parsed: The parsed input of the example.
        """
        answer = self.answer(place, corpus.ids[row], corpus.text(row), parsed)
        return answer.record(gold=self.gold(row, labels, parsed))

    def gold(self, row: int, labels: Mapping[str, Sequence[Label | None]], parsed: Any) -> dict[str, Any]:
        """Return task name to true label of an example, in the form of predicted labels."""
        gold = {}
        for task in (task for group in self.groups for task in group.tasks):
            label = labels[task.name][row] if len(labels.get(task.name, ())) else None
            if label is not None and task.declared.kind.level == "token":
                label = self._of_tokens(label, parsed)
            if label is not None:
                gold[task.name] = gold_name(task, label)
        return gold

    def _of_tokens(self, gold: Label, parsed: Any) -> Label:
        """Select the word labels of the tokens that the network reads; unchanged if there is not one per word."""
        if not isinstance(gold, list | tuple) or len(gold) != len(self.encoder.words(parsed)):
            return gold
        return [gold[place] for place in self.encoder.places(parsed)]

    def _words(self, parsed: Any) -> list[str]:
        """Return the tokens if predictions or attention weights refer to tokens, else an empty list."""
        about_tokens = self.keep_attention or any(
            told and group.tasks[0].declared.kind.level == "token"
            for group, told in zip(self.groups, self.answered, strict=True)
        )
        return self.encoder.tokens(parsed) if about_tokens else []


def _of_whole_tokens(answer: TaskAnswer, pieces: Sequence[int]) -> TaskAnswer:
    """Convert subword predictions to token predictions: labels of first subwords, summed attention weights."""
    predictions, weights = answer.predictions, answer.attention
    if answer.of_tokens:
        predictions = [predictions[place] for place in first_pieces(pieces)]
    return replace(
        answer,
        predictions=predictions,
        attention=None if weights is None else summed_by_token(weights, pieces),
    )


def _decoded(task: LearnedTask, outputs: torch.Tensor, lengths: Sequence[int]) -> list[list[Prediction]]:
    kind = task.kind
    if task.declared.kind.level == "example":
        return [[prediction] for prediction in kind.decode(outputs)]
    flat = kind.decode(torch.cat([row[:length] for row, length in zip(outputs, lengths, strict=True)]))
    answers, start = [], 0
    for length in lengths:
        answers.append(flat[start : start + length])
        start += length
    return answers
