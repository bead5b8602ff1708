"""Sample labels: encoded ones of three tasks for masks, losses and metrics, and raw ones for task kinds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.corpus import Label
from mtl_core.data.label_space import LabelSpace, flatten_label
from mtl_core.data.masks import Mask
from mtl_core.data.number_space import NumberSpace
from mtl_core.plugins.specs import Level

CLASSES = ("high", "low", "medium")

VARIANTS = ("classes", "lists", "numbers", "vectors", "tags")
"""One class per label, any number of classes per label, one number or several per label, one class per token."""

TASKS = 3

EXAMPLES = 10

_LENGTH = 4


class FunctionLoss(nn.Module):
    """A loss module that calls a function.

    Args:
        function: Maps outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
    """

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the losses `(n,)`."""
        return self.function(outputs, targets)


@dataclass(frozen=True)
class SampleLabels:
    """Labels of three tasks of one kind.

    Attributes:
        space: The label space of each task.
        targets: Encoded labels, `(examples, tasks, ...)`.
        ignore_mask: Bool, of the mask's shape: labels that are missing or excluded.
        n_outputs: Number of outputs of a head.
        loss: A loss for these labels.
    """

    space: LabelSpace
    targets: torch.Tensor
    ignore_mask: torch.Tensor
    n_outputs: int
    loss: nn.Module

    @property
    def spaces(self) -> list[LabelSpace]:
        """The label space of each task."""
        return [self.space] * TASKS


def create_sample_labels(variant: str, excluded: frozenset[str] = frozenset()) -> SampleLabels:
    """Create labels, some missing and some excluded; the last example has all labels, the one before it none.

    Args:
        variant: One of `VARIANTS`.
        excluded: Labels that are not classes; ignored unless labels are classes.
    """
    present_labels: list[Label] = list(CLASSES)
    space: LabelSpace = ClassSpace(CLASSES, excluded)
    n_outputs, loss = len(CLASSES), _cross_entropy
    if variant == "lists":
        present_labels, excluded = [["high"], ["low", "medium"], []], frozenset()
        space, loss = MultiLabelSpace(CLASSES), _binary_cross_entropy
    elif variant == "numbers":
        present_labels, excluded = [1.5, -2.0, 40.0], frozenset()
        space, n_outputs, loss = NumberSpace([10.0], [8.0], vector=False), 1, _squared_error
    elif variant == "vectors":
        present_labels, excluded = [[1.5, -2.0, 4.0], [-2.0, 0.5, 1.0], [40.0, 1.0, -3.0]], frozenset()
        space, n_outputs, loss = NumberSpace([0.0] * 3, [1.0] * 3, vector=True), 3, _squared_distance
    tokens = _LENGTH if variant == "tags" else 1
    label_pool: list[Label | None] = [*present_labels, None, *sorted(excluded)]
    columns = [[_pick_label(label_pool, row, task) for row in range(EXAMPLES * tokens)] for task in range(TASKS)]
    for task, column in enumerate(columns):
        column[-2 * tokens :] = [None] * tokens + [present_labels[task]] * tokens
    locations = [f"row {row}" for row in range(EXAMPLES * tokens)]
    targets = torch.from_numpy(np.stack([space.encode(column, locations) for column in columns], axis=1))
    ignore_mask = torch.tensor(
        [[label is None or str(label) in excluded for label in row] for row in zip(*columns, strict=True)]
    )
    if variant == "tags":
        targets, ignore_mask = (table.view(EXAMPLES, tokens, TASKS).transpose(1, 2) for table in (targets, ignore_mask))
    return SampleLabels(space, targets, ignore_mask, n_outputs, FunctionLoss(loss))


def _pick_label(pool: list[Label | None], row: int, task: int) -> Label | None:
    return pool[(row * (task + 1) + task) % len(pool)]


def _cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, targets, reduction="none")


def _binary_cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(outputs, targets.float(), reduction="none").mean(dim=1)


def _squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs[:, 0] - targets).square()


def _squared_distance(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).square().mean(dim=1)


@dataclass(frozen=True)
class LabelSample:
    """Sample labels without missing ones.

    Attributes:
        name: The name of the form.
        level: `example` for one label per example, `token` for a list with one label per token, `pixel` for a mask.
        labels: One entry per example.
        out_of_space_label: A label outside the space, of one example, token or pixel.
    """

    name: str
    level: Level
    labels: Sequence[Label]
    out_of_space_label: Label

    @property
    def encodable_labels(self) -> list[Label]:
        """What a label space encodes: one label per example, token or pixel."""
        if self.level == "example":
            return list(self.labels)
        return [
            member
            for label in self.labels
            for member in (_list_pixels(label) if isinstance(label, Mask) else flatten_label(label))
        ]


def _list_pixels(mask: Mask) -> list[Label]:
    """Return the label of each pixel: the name of a class for integers, a number, or a list for several channels."""
    pixels = mask.array.reshape(-1, *mask.array.shape[2:]).tolist()
    return [str(pixel) for pixel in pixels] if mask.array.dtype.kind == "u" else pixels


_CLASS_MASKS = ([[0, 1, 0], [2, 0, 1]], [[0, 0, 2], [0, 1, 0]])
_NUMBER_MASKS = ([[1.5, -2.0], [7.0, 0.25]], [[3.0, 3.5], [-1.0, 4.0]])
_VECTORS = ([0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.6, 0.0], [0.0, -0.6, 0.8])

LABEL_SAMPLES: Sequence[LabelSample] = (
    LabelSample("classes", "example", ["low", "high", "medium", "low", "high", "low", "low"], "no such label"),
    LabelSample("two-classes", "example", ["low", "high", "low", "low", "high", "low"], "no such label"),
    LabelSample("numbers", "example", [1.5, -2.0, 40, 0.25, 3, 3.5], "no number"),
    LabelSample("grades", "example", ["1", "3", "2", "3", "3", "1"], "no such label"),
    LabelSample("lists", "example", [["low"], ["high", "low"], [], ["high"], ["low"]], ["no such label"]),
    LabelSample("lists-of-numbers", "example", [[1.5, 2.0], [-3, 1], [0.5, 8], [2, 2]], ["no number", 1.0]),
    LabelSample("tags", "token", [["noun", "verb"], ["noun"], ["verb", "other", "noun"], ["noun"]], "no such label"),
    LabelSample("numbers-of-tokens", "token", [[1.5, 2.0], [7], [0.25, -1, 3], [4]], "no number"),
    LabelSample("masks", "pixel", [Mask(np.array(rows, dtype=np.uint8)) for rows in _CLASS_MASKS], "no such label"),
    LabelSample("masks-of-numbers", "pixel", [Mask(np.array(rows)) for rows in _NUMBER_MASKS], "no number"),
    LabelSample("masks-of-vectors", "pixel", [Mask(np.array([_VECTORS[:2], _VECTORS[2:]]))], ["no number", 1.0, 2.0]),
)

VOCABULARY = ("the", "a", "film", "was", "good", "bad", "long", "short", "very", "not", "food", "waiter")
"""The vocabulary for kinds that predict their input."""

TOKEN_IDS = torch.tensor([[0, 2, 3, 4, -1], [1, 11, 3, 5, 6], [0, 10, 3, -1, -1], [4, 2, -1, -1, -1]])
"""Token ids of such inputs, `(batch, length)`, int64; -1 at padding."""
