"""Labels that a task kind may be made for: a kind is checked with all of those that it accepts."""

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
    """Labels, all of them there.

    Attributes:
        name: What they are.
        level: Whether there is one an example, or a list with one a token.
        labels: The labels.
        strange: A label that is none of these, of an example or of a token.
    """

    name: str
    level: Level
    labels: Sequence[Label]
    strange: Label

    @property
    def single(self) -> list[Label]:
        """What a label space encodes: a label an example, or a label a token."""
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
"""The vocabulary that a kind which predicts its input is tried with."""
IDS = torch.tensor([[0, 2, 3, 4, -1], [1, 11, 3, 5, 6], [0, 10, 3, -1, -1], [4, 2, -1, -1, -1]])
"""A batch of such inputs, `(batch, length)`."""


@dataclass(frozen=True)
class MadeKind:
    """A task kind made for some labels.

    Attributes:
        spec: Its block.
        trial: The labels; None if it makes them from the inputs.
        space: Its label space.
        kind: Its run-time side.
        targets: `(n, ...)`: the labels, encoded.
    """

    spec: TaskKindSpec
    trial: LabelTrial | None
    space: LabelSpace
    kind: TaskKind
    targets: torch.Tensor

    def encoded(self, labels: Sequence[Label | None]) -> torch.Tensor:
        """Encode other labels, `(n, ...)`."""
        return torch.from_numpy(self.space.encode(labels, [f"label {place}" for place in range(len(labels))]))

    def observed(self, targets: torch.Tensor) -> torch.Tensor:
        """Which targets `(n, ...)` hold a label, `(n,)`."""
        return self.space.observed(targets.unsqueeze(1))[:, 0]


def make_kind(spec: TaskKindSpec, trial: LabelTrial | None) -> MadeKind:
    """Make a kind for labels.

    Raises:
        MtlError: If it is not for such labels.
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
