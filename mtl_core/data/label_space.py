"""What a task's labels can be, and how they become numbers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.corpus import Label
from mtl_core.errors import MtlError, did_you_mean, listed

MISSING = -1
"""The code of a label that is not there."""


class LabelSpace(ABC):
    """The labels of one task."""

    @abstractmethod
    def encode(self, labels: Sequence[Label | None], origins: Sequence[str]) -> NDArray[Any]:
        """Turn labels into targets `(examples, ...)`; `MISSING` stands for None.

        Raises:
            MtlError: If a label lies outside the space; `origins` says where it stands.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `TaskKindSpec.restore_space` needs to make this space again, as JSON."""


class ClassSpace(LabelSpace):
    """Named classes, and names that are labels but never classes (such as "absent").

    Classes have the codes `0 … len(classes) - 1`, excluded labels the codes above.

    Args:
        classes: Names in the order of the outputs.
        excluded: Names that a mask leaves out.
    """

    def __init__(self, classes: Sequence[str], excluded: Iterable[str] = ()) -> None:
        self.classes = tuple(classes)
        self.excluded = tuple(sorted(set(excluded) - set(self.classes)))
        self._codes = {name: code for code, name in enumerate((*self.classes, *self.excluded))}

    def encode(self, labels: Sequence[Label | None], origins: Sequence[str]) -> NDArray[np.int64]:
        """Turn class names into codes `(examples,)`, int64."""
        codes = np.full(len(labels), MISSING, dtype=np.int64)
        for index, label in enumerate(labels):
            if label is None:
                continue
            code = self._codes.get(str(label))
            if code is None:
                raise MtlError(
                    f"{origins[index]}: the label '{label}' is none of the task's classes"
                    f"{did_you_mean(str(label), self._codes)} (classes: {listed(self.classes)})"
                )
            codes[index] = code
        return codes

    def state(self) -> dict[str, Any]:
        """Classes and excluded labels."""
        return {"classes": list(self.classes), "excluded": list(self.excluded)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "ClassSpace":
        """Make the space again."""
        return cls(state["classes"], state["excluded"])
