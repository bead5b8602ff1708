"""What the network says about each example, gathered batch by batch."""

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
    """Answers about some examples, gathered batch by batch.

    Attributes:
        groups: The groups of tasks.
        answered: Which of them are told.
        encoder: Says how many tokens an example has.
        items: The examples' items.
        keep_attention: Whether attention weights are told.
    """

    groups: Sequence[TaskGroup]
    answered: Sequence[bool]
    encoder: Encoder[Any, Any]
    items: Sequence[Any]
    keep_attention: bool = False
    _answers: dict[int, dict[str, TaskAnswer]] = field(default_factory=dict)

    def add(self, said: BatchOutputs) -> None:
        """Take a batch in."""
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
        """Give one example's answer, and forget it.

        Args:
            place: The number of the example among the items.
            name: The example's id.
            text: The example as text.
            parsed: The example's parsed input.
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
        """Give one example's record, as in `predictions.jsonl`, and forget its answers.

        Args:
            place: The number of the example among the items.
            corpus: Holds it.
            row: Its number there.
            labels: Name of each task to its label for every row of the corpus, as far as they are known.
            parsed: The example's parsed input.
        """
        answer = self.answer(place, corpus.ids[row], corpus.text(row), parsed)
        return answer.record(gold=self.gold(row, labels, parsed))

    def gold(self, row: int, labels: Mapping[str, Sequence[Label | None]], parsed: Any) -> dict[str, Any]:
        """Give an example's true labels as predictions name them."""
        gold = {}
        for task in (task for group in self.groups for task in group.tasks):
            label = labels[task.name][row] if len(labels.get(task.name, ())) else None
            if label is not None and task.declared.kind.level == "token":
                label = self._of_tokens(label, parsed)
            if label is not None:
                gold[task.name] = gold_name(task, label)
        return gold

    def _of_tokens(self, gold: Label, parsed: Any) -> Label:
        """Of a label a word, those of the tokens that the network reads; as it is if words are not as many."""
        if not isinstance(gold, list | tuple) or len(gold) != len(self.encoder.words(parsed)):
            return gold
        return [gold[place] for place in self.encoder.places(parsed)]

    def _words(self, parsed: Any) -> list[str]:
        """The tokens, where something is said about each of them."""
        about_tokens = self.keep_attention or any(
            told and group.tasks[0].declared.kind.level == "token"
            for group, told in zip(self.groups, self.answered, strict=True)
        )
        return self.encoder.tokens(parsed) if about_tokens else []


def _of_whole_tokens(answer: TaskAnswer, pieces: Sequence[int]) -> TaskAnswer:
    """Of an answer about pieces, make one about tokens: what is said of their first pieces, and all attention."""
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
