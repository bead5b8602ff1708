"""What a network says about one input: typed for programs, and as a line of `predictions.jsonl`."""

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
    """What one task says about one input.

    Attributes:
        predictions: One; or one a token, if tokens are labelled.
        attention: `(tokens,)`: how much each of the answer's tokens counted, in all 1; None if that was not asked,
            or the head has no attention.
        of_tokens: Whether tokens are labelled.
        nothing: The label by which the task says that the input does not speak of it; None if it always does.
    """

    predictions: Sequence[Prediction]
    attention: Sequence[float] | None = None
    of_tokens: bool = False
    nothing: str | None = None

    @property
    def label(self) -> Label:
        """The predicted label; of labelled tokens, a list of them."""
        if self.of_tokens:
            return [one.label for one in self.predictions]  # type: ignore[misc]  # labels of tokens are no lists
        return self.predictions[0].label

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Class name to probability; empty for labels without classes, and for labels of tokens."""
        return {} if self.of_tokens else self.predictions[0].probabilities

    @property
    def found(self) -> bool:
        """Whether the input speaks of what the task asks."""
        return self.nothing is None or self.label != self.nothing

    @property
    def detection(self) -> float:
        """The probability that the input speaks of what the task asks; 1 if it always does."""
        return 1.0 if self.nothing is None else 1 - self.probabilities[self.nothing]

    def given_found(self) -> Mapping[str, float]:
        """Probabilities of the classes if the input speaks of what the task asks; they sum to 1."""
        if self.nothing is None:
            return self.probabilities
        left = {name: value for name, value in self.probabilities.items() if name != self.nothing}
        total = sum(left.values())
        return {name: value / total if total else 1 / len(left) for name, value in left.items()}


@dataclass(frozen=True)
class Answer:
    """What a network says about one input.

    Attributes:
        id: The input's id.
        text: The input as text.
        tasks: Name of each task that was asked to what it says, also those that find nothing.
        tokens: The words as they were written, where something is said about each of them; otherwise empty.
    """

    id: str
    text: str
    tasks: Mapping[str, TaskAnswer]
    tokens: Sequence[str] = ()

    @property
    def found(self) -> Mapping[str, TaskAnswer]:
        """The tasks that the input speaks of."""
        return {name: answer for name, answer in self.tasks.items() if answer.found}

    def record(self, only_found: bool = False, gold: Mapping[str, Label | None] | None = None) -> dict[str, Any]:
        """Give it as JSON, as in `predictions.jsonl`.

        Args:
            only_found: Leave out tasks that the input does not speak of.
            gold: Name of each task to its true label, as far as they are known.
        """
        told = self.found if only_found else self.tasks
        tasks = {name: _entry(answer, (gold or {}).get(name)) for name, answer in told.items()}
        record: dict[str, Any] = {"id": self.id, "text": self.text, "tasks": tasks}
        if self.tokens:
            record[MADE_OF_TOKENS] = list(self.tokens)
        return record


def gold_name(task: LearnedTask, label: Label) -> Any:
    """A true label as predictions name it: the number 5 is the class "5"."""
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
