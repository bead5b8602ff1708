"""Sample labels of several forms: a task kind is checked with all forms that it accepts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.data.corpus import Label
from mtl_core.data.label_space import LabelSpace, flatten_label
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.nn.task_kind import TaskKind
from mtl_core.plugins.specs import Level, TaskKindSpec


@dataclass(frozen=True)
class LabelSample:
    """Sample labels without missing ones.

    Attributes:
        name: The name of the form.
        level: `example` for one label per example, `token` for a list with one label per token.
        labels: One entry per example.
        out_of_space_label: A label outside the space, of one example or one token.
    """

    name: str
    level: Level
    labels: Sequence[Label]
    out_of_space_label: Label

    @property
    def encodable_labels(self) -> list[Label]:
        """What a label space encodes: one label per example, or one label per token."""
        return (
            list(self.labels)
            if self.level == "example"
            else [member for label in self.labels for member in flatten_label(label)]
        )


LABEL_SAMPLES: Sequence[LabelSample] = (
    LabelSample("classes", "example", ["low", "high", "medium", "low", "high", "low", "low"], "no such label"),
    LabelSample("two-classes", "example", ["low", "high", "low", "low", "high", "low"], "no such label"),
    LabelSample("numbers", "example", [1.5, -2.0, 40, 0.25, 3, 3.5], "no number"),
    LabelSample("grades", "example", ["1", "3", "2", "3", "3", "1"], "no such label"),
    LabelSample("lists", "example", [["low"], ["high", "low"], [], ["high"], ["low"]], ["no such label"]),
    LabelSample("lists-of-numbers", "example", [[1.5, 2.0], [-3, 1], [0.5, 8], [2, 2]], ["no number", 1.0]),
    LabelSample(
        "tags", "token", [["noun", "verb"], ["noun"], ["verb", "other", "noun"], ["noun"]], "no such label"
    ),
    LabelSample("numbers-of-tokens", "token", [[1.5, 2.0], [7], [0.25, -1, 3], [4]], "no number"),
)
VOCABULARY = ("the", "a", "film", "was", "good", "bad", "long", "short", "very", "not", "food", "waiter")
"""The vocabulary for kinds that predict their input."""
TOKEN_IDS = torch.tensor([[0, 2, 3, 4, -1], [1, 11, 3, 5, 6], [0, 10, 3, -1, -1], [4, 2, -1, -1, -1]])
"""Token ids of such inputs, `(batch, length)`, int64; -1 at padding."""


@dataclass(frozen=True)
class KindFixture:
    """A task kind built for sample labels.

    Attributes:
        spec: The spec of the kind.
        sample: The labels; None if the kind derives them from the inputs.
        space: The label space.
        kind: The built kind.
        targets: The encoded labels, `(n, ...)`.
    """

    spec: TaskKindSpec
    sample: LabelSample | None
    space: LabelSpace
    kind: TaskKind
    targets: torch.Tensor

    def encode(self, labels: Sequence[Label | None]) -> torch.Tensor:
        """Return encoded labels, `(n, ...)`."""
        return torch.from_numpy(self.space.encode(labels, [f"label {index}" for index in range(len(labels))]))

    def compute_label_mask(self, targets: torch.Tensor) -> torch.Tensor:
        """Return which targets `(n, ...)` are labels, `(n,)`, bool."""
        return self.space.compute_label_mask(targets.unsqueeze(1))[:, 0]


def build_kind_fixture(spec: TaskKindSpec, sample: LabelSample | None) -> KindFixture:
    """Build a kind for sample labels.

    Raises:
        MtlError: If the kind does not accept such labels.
    """
    if sample is None:
        return _build_from_inputs(spec)
    space = spec.build_space(LabelStatistics(sample.labels, sample.labels))
    targets = torch.from_numpy(
        space.encode(sample.encodable_labels, [f"label {index}" for index in range(len(sample.encodable_labels))])
    )
    return KindFixture(
        spec, sample, space, spec.build(space, _count_labels(sample.encodable_labels, space)), targets
    )


def _build_from_inputs(spec: TaskKindSpec) -> KindFixture:
    space = spec.build_space(LabelStatistics((), (), vocabulary=VOCABULARY))
    kind = spec.build(space, {})
    token_mask = (torch.arange(TOKEN_IDS.shape[1]) % 2 == 0) & (TOKEN_IDS >= 0) if kind.mask_ratio else None
    targets = kind.build_input_targets(TOKEN_IDS, token_mask)
    flat_targets = targets.flatten(0, 1) if spec.level == "token" else targets
    return KindFixture(
        spec, None, space, kind, flat_targets[space.compute_label_mask(flat_targets.unsqueeze(1))[:, 0]]
    )


def _count_labels(labels: Sequence[Label], space: LabelSpace) -> Mapping[str, int]:
    return (
        Counter(str(member) for label in labels for member in flatten_label(label)) if space.classes else Counter()
    )
