"""The columns of the examples of a comparison, and groups of examples that are left out together."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

MAX_GROUPS = 200
"""Largest number of examples, or groups of examples, that are left out one by one for metrics without sums."""


class ExampleColumns:
    """The columns of all examples that are scored with any seed.

    Args:
        ids: The id of each example.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self._column_by_id = {example_id: column for column, example_id in enumerate(ids)}
        self.groups = assign_groups(ids)
        """`(examples,)`, int64: the first column of the group of each example, for metrics without sums."""

    def __len__(self) -> int:
        return len(self._column_by_id)

    def find_columns(self, ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the column of each id."""
        return np.array([self._column_by_id[example_id] for example_id in ids.tolist()], dtype=np.int64)


def assign_groups(ids: Sequence[str]) -> NDArray[np.int64]:
    """Assign examples to groups by a hash of their ids, `(examples,)`: the first column of each one's group.

    The order of examples must not matter: neighbours in a file are often similar.
    """
    if len(ids) <= MAX_GROUPS:
        return np.arange(len(ids))
    first_columns: dict[int, int] = {}
    groups = np.empty(len(ids), dtype=np.int64)
    for column, example_id in enumerate(ids):
        digest = int.from_bytes(sha256(example_id.encode()).digest()[:8], "little")
        groups[column] = first_columns.setdefault(digest % MAX_GROUPS, column)
    return groups
