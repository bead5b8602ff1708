"""Sample labels of several forms: a task kind is checked with all forms that it accepts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.data.corpus import Label
from mtl_core.data.label_space import FoundLabels, LabelSpace, members
from mtl_core.specs import Level, TaskKindSpec
from mtl_core.training.kinds import TaskKind


@dataclass(frozen=True)
class LabelTrial:
    """Sample labels without missing ones.

    Attributes:
        name: The name of the form.
        level: `example` for one label per example, `token` for a list with one label per token.
        labels: One entry per example.
        strange: A label outside the space, of one example or one token.
    """

    name: str
    level: Level
    labels: Sequence[Label]
    strange: Label

    @property
    def single(self) -> list[Label]:
        """What a label space encodes: one label per example, or one label per token."""
        return (
            list(self.labels) if self.level == "example" else [m for label in self.labels for m in members(label)]
        )


TRIALS: Sequence[LabelTrial] = (
    LabelTrial("classes", "example", ["low", "high", "medium", "low", "high", "low", "low"], "no such label"),
    LabelTrial("two-classes", "example", ["low", "high", "low", "low", "high", "low"], "no such label"),
    LabelTrial("numbers", "example", [1.5, -2.0, 40, 0.25, 3, 3.5], "no number"),
    LabelTrial("grades", "example", ["1", "3", "2", "3", "3", "1"], "no such label"),
    LabelTrial("lists", "example", [["low"], ["high", "low"], [], ["high"], ["low"]], ["no such label"]),
    LabelTrial("lists-of-numbers", "example", [[1.5, 2.0], [-3, 1], [0.5, 8], [2, 2]], ["no number", 1.0]),
    LabelTrial("tags", "token", [["noun", "verb"], ["noun"], ["verb", "other", "noun"], ["noun"]], "no such label"),
    LabelTrial("numbers-of-tokens", "token", [[1.5, 2.0], [7], [0.25, -1, 3], [4]], "no number"),
)
WORDS = ("the", "a", "film", "was", "good", "bad", "long", "short", "very", "not", "food", "waiter")
"""The vocabulary for kinds that predict their input."""
IDS = torch.tensor([[0, 2, 3, 4, -1], [1, 11, 3, 5, 6], [0, 10, 3, -1, -1], [4, 2, -1, -1, -1]])
"""Token ids of such inputs, `(batch, length)`, int64; -1 at padding."""


@dataclass(frozen=True)
class MadeKind:
    """A task kind built for sample labels.

    Attributes:
        spec: The spec of the kind.
        trial: The labels; None if the kind derives them from the inputs.
        space: The label space.
        kind: The built kind.
        targets: The encoded labels, `(n, ...)`.
    """

    spec: TaskKindSpec
    trial: LabelTrial | None
    space: LabelSpace
    kind: TaskKind
    targets: torch.Tensor

    def encoded(self, labels: Sequence[Label | None]) -> torch.Tensor:
        """Return encoded labels, `(n, ...)`."""
        return torch.from_numpy(self.space.encode(labels, [f"label {place}" for place in range(len(labels))]))

    def observed(self, targets: torch.Tensor) -> torch.Tensor:
        """Return which targets `(n, ...)` are labels, `(n,)`, bool."""
        return self.space.observed(targets.unsqueeze(1))[:, 0]


def make_kind(spec: TaskKindSpec, trial: LabelTrial | None) -> MadeKind:
    """Build a kind for sample labels.

    Raises:
        MtlError: If the kind does not accept such labels.
    """
    if trial is None:
        return _made_of_inputs(spec)
    space = spec.space(FoundLabels(trial.labels, trial.labels))
    targets = torch.from_numpy(space.encode(trial.single, [f"label {p}" for p in range(len(trial.single))]))
    return MadeKind(spec, trial, space, spec.build(space, _counts(trial.single, space)), targets)


def _made_of_inputs(spec: TaskKindSpec) -> MadeKind:
    space = spec.space(FoundLabels((), (), vocabulary=WORDS))
    kind = spec.build(space, {})
    hidden = (torch.arange(IDS.shape[1]) % 2 == 0) & (IDS >= 0) if kind.hides else None
    table = kind.input_targets(IDS, hidden)
    flat = table.flatten(0, 1) if spec.level == "token" else table
    return MadeKind(spec, None, space, kind, flat[space.observed(flat.unsqueeze(1))[:, 0]])


def _counts(labels: Sequence[Label], space: LabelSpace) -> Mapping[str, int]:
    return Counter(str(one) for label in labels for one in members(label)) if space.classes else Counter()
