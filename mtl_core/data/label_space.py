"""Label spaces: the possible labels of a task and their encoding as targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from numpy.typing import NDArray

from mtl_core.data.corpus import Label, Scalar

if TYPE_CHECKING:
    import torch

MISSING = -1
"""The code of a missing label."""


class LabelSpace(ABC):
    """The labels of one task.

    Attributes:
        classes: Class names in the order of the outputs; empty for numeric labels.
    """

    classes: Sequence[str] = ()

    @abstractmethod
    def encode(self, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[Any]:
        """Encode labels as targets `(labels, ...)`: `MISSING` or NaN for None.

        For a task with labels per token, each element is the label of one token.

        Args:
            labels: The labels.
            locations: The location of each label, for messages.

        Raises:
            MtlError: If a label is not in the space.
        """

    def compute_label_mask(self, targets: torch.Tensor) -> torch.Tensor:
        """Return which targets of a batch are labelled: `(batch, tasks)` or `(batch, tasks, length)`, bool."""
        return ~targets.isnan() if targets.is_floating_point() else targets >= 0

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the JSON-serialisable state from which `TaskKindSpec.restore_space` restores this space."""


def flatten_label(label: Label) -> Sequence[Scalar]:
    """Return the single labels of a label: the members of a list without missing ones, or the label itself."""
    if isinstance(label, list | tuple):
        return [member for member in label if member is not None]
    return [cast("Scalar", label)]  # a str is one label, not a sequence of characters


def is_valid_label(label: Label | None, excluded: frozenset[str]) -> bool:
    """Return whether a label is present and not excluded."""
    return label is not None and (isinstance(label, list | tuple) or str(label) not in excluded)


def truncate(label: object) -> str:
    """Return the text of a label for a message, truncated to 60 characters."""
    text = str(label)
    return text if len(text) <= 60 else text[:57] + "..."
