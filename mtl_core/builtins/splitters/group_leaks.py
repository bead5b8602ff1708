"""Training examples of held-out groups."""

import numpy as np
from numpy.typing import NDArray

from mtl_core.builtins.splitters.group_keys import read_group_keys
from mtl_core.data.metadata import ExampleMetadata


def find_group_leaks(train: ExampleMetadata, held_out: ExampleMetadata, column: str) -> NDArray[np.bool_]:
    """Return which training examples are of a held-out group, `(training examples,)`, bool.

    Raises:
        MtlError: If there is no such column, or a cell is a list or another object.
    """
    held_out_keys = set(read_group_keys(held_out, column)) - {None}
    return np.array([key in held_out_keys for key in read_group_keys(train, column)], dtype=np.bool_)


def describe_group_leak(column: str, held_out: str) -> str:
    """Return what is wrong with them."""
    return f"of a '{column}' that also has {held_out} examples"
