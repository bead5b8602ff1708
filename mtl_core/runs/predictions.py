"""What the network says about each example, as in `predictions.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.encoder import Encoder
from mtl_core.evaluation.outputs import BatchOutputs
from mtl_core.training.groups import LearnedTask, TaskGroup
from mtl_core.training.kinds import Prediction

MADE_OF_TOKENS = "tokens"


@dataclass(frozen=True)
class TaskAnswer:
    """What one task says about one example.

    Attributes:
        predictions: One; or one a token, if tokens are labelled.
        attention: `(length,)`: how much each token counted; None if the head has no attention.
    """

    predictions: Sequence[Prediction]
    attention: Sequence[float] | None = None


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
            attention = output.attention.cpu() if self.keep_attention and output.attention is not None else None
            for column, task in enumerate(group.tasks):
                answers = _decoded(task, output.outputs[:, column].cpu(), lengths)
                for place, row in enumerate(said.rows.tolist()):
                    weights = None if attention is None else attention[place, column, : lengths[place]].tolist()
                    self._answers[row][task.name] = TaskAnswer(answers[place], weights)

    def record(
        self, place: int, corpus: Corpus, row: int, labels: Mapping[str, Sequence[Label | None]], parsed: Any
    ) -> dict[str, Any]:
        """Give one example's record, and forget its answers.

        Args:
            place: The number of the example among the items.
            corpus: Holds it.
            row: Its number there.
            labels: Name of each task to its label for every row of the corpus, as far as they are known.
            parsed: The example's parsed input.
        """
        tasks = {}
        answers = self._answers.pop(place)
        words = self._words(parsed)
        for group in self.groups:
            for task in group.tasks:
                answer = answers.get(task.name)
                if answer is None:
                    continue
                gold = labels[task.name][row] if len(labels.get(task.name, ())) else None
                if gold is not None and task.declared.kind.level == "token":
                    gold = self._of_tokens(gold, parsed)
                tasks[task.name] = _entry(task, answer, gold)
        record: dict[str, Any] = {"id": corpus.ids[row], "text": corpus.text(row), "tasks": tasks}
        if words:
            record[MADE_OF_TOKENS] = words
        return record

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


def _entry(task: LearnedTask, answer: TaskAnswer, gold: Label | None) -> dict[str, Any]:
    entry: dict[str, Any]
    if task.declared.kind.level == "token":
        entry = {"label": [one.label for one in answer.predictions], "probabilities": {}}
        if any(one.probabilities for one in answer.predictions):
            entry["confidence"] = [round(max(one.probabilities.values()), 6) for one in answer.predictions]
    else:
        one = answer.predictions[0]
        entry = {
            "label": one.label,
            "probabilities": {name: round(value, 6) for name, value in one.probabilities.items()},
        }
    if gold is not None:
        entry["gold"] = _named(gold) if task.space.classes else list(gold) if isinstance(gold, tuple) else gold
    if answer.attention is not None:
        entry["attention"] = [round(weight, 6) for weight in answer.attention]
    return entry


def _named(label: Label) -> str | list[str | None]:
    """A label as predictions name classes: the number 5 is the class "5"."""
    if isinstance(label, list | tuple):
        return [None if member is None else str(member) for member in label]
    return str(label)
