"""Predictions for one input, as typed objects and as a line of `predictions.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_core.data.corpus import Label
from mtl_core.training.groups import LearnedTask
from mtl_core.training.kinds import Prediction

MADE_OF_TOKENS = "tokens"


@dataclass(frozen=True)
class TaskAnswer:
    """The prediction of one task for one input.

    Attributes:
        predictions: One prediction; for token-level tasks one prediction per token.
        attention: `(tokens,)`: attention weights, which sum to 1; None if they were not requested or the head has
            no attention.
        of_tokens: Whether the task labels tokens.
        nothing: The absent label, which means that there is nothing to classify; None if the task has none.
    """

    predictions: Sequence[Prediction]
    attention: Sequence[float] | None = None
    of_tokens: bool = False
    nothing: str | None = None

    @property
    def label(self) -> Label:
        """The predicted label; for token-level tasks a list of labels."""
        if self.of_tokens:
            return [one.label for one in self.predictions]  # type: ignore[misc]  # token labels are not lists
        return self.predictions[0].label

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Class name to probability; empty for tasks without classes and for token-level tasks."""
        return {} if self.of_tokens else self.predictions[0].probabilities

    @property
    def found(self) -> bool:
        """Whether the predicted label is not the absent label."""
        return self.nothing is None or self.label != self.nothing

    @property
    def detection(self) -> float:
        """The probability that the label is not the absent label; 1 for tasks without an absent label."""
        return 1.0 if self.nothing is None else 1 - self.probabilities[self.nothing]

    def given_found(self) -> Mapping[str, float]:
        """Return the class probabilities given that the label is not the absent label; they sum to 1."""
        if self.nothing is None:
            return self.probabilities
        left = {name: value for name, value in self.probabilities.items() if name != self.nothing}
        total = sum(left.values())
        return {name: value / total if total else 1 / len(left) for name, value in left.items()}


@dataclass(frozen=True)
class Answer:
    """The predictions of all tasks for one input.

    Attributes:
        id: The id of the input.
        text: The input as text.
        tasks: Task name to prediction, including tasks that predict the absent label.
        tokens: The tokens as written, if predictions or attention weights refer to tokens; otherwise empty.
    """

    id: str
    text: str
    tasks: Mapping[str, TaskAnswer]
    tokens: Sequence[str] = ()

    @property
    def found(self) -> Mapping[str, TaskAnswer]:
        """Task name to prediction, without the tasks that predict the absent label."""
        return {name: answer for name, answer in self.tasks.items() if answer.found}

    def record(self, only_found: bool = False, gold: Mapping[str, Label | None] | None = None) -> dict[str, Any]:
        """Return the prediction as a JSON object, as in `predictions.jsonl`.

        Args:
            only_found: Leave out tasks that predict the absent label.
            gold: Task name to true label, for tasks whose label is known.
        """
        told = self.found if only_found else self.tasks
        tasks = {name: _entry(answer, (gold or {}).get(name)) for name, answer in told.items()}
        record: dict[str, Any] = {"id": self.id, "text": self.text, "tasks": tasks}
        if self.tokens:
            record[MADE_OF_TOKENS] = list(self.tokens)
        return record


def gold_name(task: LearnedTask, label: Label) -> Any:
    """Convert a true label to the form of predicted labels: the number 5 becomes the class "5"."""
    if not task.space.classes:
        return list(label) if isinstance(label, tuple) else label
    if isinstance(label, list | tuple):
        return [None if member is None else str(member) for member in label]
    return str(label)


def _entry(answer: TaskAnswer, gold: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "label": answer.label,
        "probabilities": {name: round(value, 6) for name, value in answer.probabilities.items()},
    }
    if answer.nothing is not None:
        entry["detection"] = round(answer.detection, 6)
    if answer.of_tokens and any(one.probabilities for one in answer.predictions):
        entry["confidence"] = [round(max(one.probabilities.values()), 6) for one in answer.predictions]
    if gold is not None:
        entry["gold"] = gold
    if answer.attention is not None:
        entry["attention"] = [round(weight, 6) for weight in answer.attention]
    return entry
