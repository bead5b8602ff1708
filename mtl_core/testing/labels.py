"""Invented labels that masks, losses and metrics are tried with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.data.corpus import Label
from mtl_core.data.label_space import ClassSpace, LabelSpace, MultiLabelSpace
from mtl_core.data.number_space import NumberSpace

CLASSES = ("high", "low", "medium")
VARIANTS = ("classes", "lists", "numbers", "tags")
"""A class a label, any number of classes a label, a number a label, a class a token."""
TASKS = 3
EXAMPLES = 10
_LENGTH = 4


class RowLoss(nn.Module):
    """A loss made of a function.

    Args:
        function: From outputs `(n, outputs)` and targets `(n, ...)` to `(n,)`.
    """

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Call it."""
        return self.function(outputs, targets)


@dataclass(frozen=True)
class SampleLabels:
    """Labels of three tasks of one kind.

    Attributes:
        space: What each task's labels can be.
        targets: `(examples, tasks, ...)`.
        left: Of the mask's shape, bool: labels that are missing or that are no class.
        outputs: How many numbers a head gives.
        loss: From outputs and targets to losses.
    """

    space: LabelSpace
    targets: torch.Tensor
    left: torch.Tensor
    outputs: int
    loss: nn.Module

    @property
    def spaces(self) -> list[LabelSpace]:
        """One a task."""
        return [self.space] * TASKS


def sample_labels(variant: str, excluded: frozenset[str] = frozenset()) -> SampleLabels:
    """Make labels of a variant, some missing and some excluded; the last example has all, the one before it none.

    Args:
        variant: One of `VARIANTS`.
        excluded: Labels that are no class, where labels are classes.
    """
    there: list[Label] = list(CLASSES)
    space: LabelSpace = ClassSpace(CLASSES, excluded)
    outputs, loss = len(CLASSES), _crossed
    if variant == "lists":
        there, excluded = [["high"], ["low", "medium"], []], frozenset()
        space, loss = MultiLabelSpace(CLASSES), _indicated
    elif variant == "numbers":
        there, excluded = [1.5, -2.0, 40.0], frozenset()
        space, outputs, loss = NumberSpace([10.0], [8.0], vector=False), 1, _squared
    tokens = _LENGTH if variant == "tags" else 1
    pool: list[Label | None] = [*there, None, *sorted(excluded)]
    columns = [[_label(pool, row, task) for row in range(EXAMPLES * tokens)] for task in range(TASKS)]
    for task, column in enumerate(columns):
        column[-2 * tokens :] = [None] * tokens + [there[task]] * tokens
    origins = [f"row {row}" for row in range(EXAMPLES * tokens)]
    targets = torch.from_numpy(np.stack([space.encode(column, origins) for column in columns], axis=1))
    left = torch.tensor(
        [[label is None or str(label) in excluded for label in row] for row in zip(*columns, strict=True)]
    )
    if variant == "tags":
        targets, left = (table.view(EXAMPLES, tokens, TASKS).transpose(1, 2) for table in (targets, left))
    return SampleLabels(space, targets, left, outputs, RowLoss(loss))


def _label(pool: list[Label | None], row: int, task: int) -> Label | None:
    return pool[(row * (task + 1) + task) % len(pool)]


def _crossed(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, targets, reduction="none")


def _indicated(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(outputs, targets.float(), reduction="none").mean(dim=1)


def _squared(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs[:, 0] - targets).square()
