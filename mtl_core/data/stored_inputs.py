"""Inputs that stay on disk and are read on access."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.lazy_sequences import VirtualSequence


class StoredInputs(VirtualSequence[object]):
    """The inputs of a corpus that does not fit into memory, read from disk one at a time.

    Such inputs are parsed batch by batch instead of all at once.
    """

    @property
    @abstractmethod
    def sizes(self) -> NDArray[np.int32]:
        """Length of each input, `(rows,)`, int32: characters, words or numbers. Known without reading inputs."""


class ConcatenatedInputs(StoredInputs):
    """The concatenated inputs of several data sets, at least one of which stays on disk.

    Args:
        members: The inputs of each data set.
    """

    def __init__(self, members: Sequence[Sequence[object]]) -> None:
        self._members = members
        self._ends = np.cumsum([len(member) for member in members])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def get_row(self, row: int) -> object:
        """Return the input of a row."""
        member = int(np.searchsorted(self._ends, row, side="right"))
        return self._members[member][row - (int(self._ends[member - 1]) if member else 0)]

    @property
    def sizes(self) -> NDArray[np.int32]:
        """Approximate length of each input, `(rows,)`, int32."""
        return np.concatenate(
            [
                member.sizes
                if isinstance(member, StoredInputs)
                else np.array([_compute_size(v) for v in member], np.int32)
                for member in self._members
            ]
        )


def _compute_size(value: object) -> int:
    return len(value) if isinstance(value, Sequence) else 1
