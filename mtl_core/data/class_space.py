"""Label spaces of named classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.column_operations import convert_to_categorical
from mtl_core.data.corpus import Label
from mtl_core.data.label_space import MISSING, LabelSpace, flatten_label, truncate
from mtl_core.errors import MtlError, did_you_mean, join_names

if TYPE_CHECKING:
    import torch


class ClassSpace(LabelSpace):
    """Named classes, and excluded labels that are never predicted (such as "absent").

    Classes have the codes `0 … len(classes) - 1`, excluded labels the codes above.

    Args:
        classes: Class names in the order of the outputs.
        excluded: Labels that a mask excludes.
    """

    def __init__(self, classes: Sequence[str], excluded: Iterable[str] = ()) -> None:
        self.classes = tuple(classes)
        self.excluded = tuple(sorted(set(excluded) - set(self.classes)))
        self._codes = {name: code for code, name in enumerate((*self.classes, *self.excluded))}

    def encode(self, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[Any]:
        """Encode class names as codes `(labels,)`, int64."""
        column = convert_to_categorical(labels)
        if column is not None:
            codes_of_values = [MISSING if value is None else self._codes.get(str(value)) for value in column.values]
            is_unknown = np.array([code is None for code in codes_of_values], dtype=bool)
            if not is_unknown[column.codes].any():  # otherwise, the first unknown label is reported below
                lookup = np.array([MISSING if code is None else code for code in codes_of_values], dtype=np.int64)
                codes_of_labels: NDArray[np.int64] = lookup[column.codes]
                return codes_of_labels
        codes = np.full(len(labels), MISSING, dtype=np.int64)
        for index, label in enumerate(labels):
            if label is not None:
                codes[index] = self.get_code(label, locations, index)
        return codes

    def get_code(self, label: Label, locations: Sequence[str], index: int) -> int:
        """Return the code of one label.

        Raises:
            MtlError: If the label is not a class.
        """
        code = self._codes.get(str(label))
        if code is None:
            problem = "a list, expected one of" if isinstance(label, list | tuple) else "not one of"
            raise MtlError(
                f"{locations[index]}: the label '{truncate(label)}' is {problem} the task's classes"
                f"{did_you_mean(str(label), self._codes)} (classes: {join_names(self.classes)})"
            )
        return code

    def state(self) -> dict[str, Any]:
        """Return the classes and the excluded labels."""
        return {"classes": list(self.classes), "excluded": list(self.excluded)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassSpace:
        """Restore the space."""
        return cls(state["classes"], state["excluded"])


class DetectionSpace(ClassSpace):
    """Named classes, followed by one class for "absent".

    Args:
        classes: Class names in the order of the outputs.
        absent_label: The label that means "absent".
        excluded: Labels that a mask excludes.
    """

    def __init__(self, classes: Sequence[str], absent_label: str, excluded: Iterable[str] = ()) -> None:
        super().__init__([*classes, absent_label], excluded)
        self.absent_label = absent_label


class MultiLabelSpace(ClassSpace):
    """Any number of named classes per example: a label is a list of class names, possibly empty."""

    def encode(self, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[Any]:
        """Encode lists of names as indicators `(labels, classes)`, int8; a row of -1 for a missing list."""
        table = np.full((len(labels), len(self.classes)), MISSING, dtype=np.int8)
        for index, label in enumerate(labels):
            if label is None:
                continue
            table[index] = 0
            for member in flatten_label(label):
                code = self.get_code(member, locations, index)
                if code < len(self.classes):
                    table[index, code] = 1
        return table

    def compute_label_mask(self, targets: torch.Tensor) -> torch.Tensor:
        """Return which rows are labelled, `(batch, tasks)`, bool."""
        return (targets >= 0).any(dim=-1)
