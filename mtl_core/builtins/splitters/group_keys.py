"""Numbers of groups, from the cells of a column of metadata."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mtl_core.builtins.splitters.metadata_cells import is_missing
from mtl_core.data.files.cells import format_cell
from mtl_core.data.metadata import ExampleMetadata
from mtl_core.data.splitting import SplitUnits
from mtl_core.errors import MtlError


def read_group_keys(metadata: ExampleMetadata, name: str) -> Sequence[str | None]:
    """Return the group of each example, as text: 7, 7.0 and "7" are one group; None if the cell is missing.

    Raises:
        MtlError: If there is no such column, or a cell is a list or another object.
    """
    keys: list[str | None] = []
    for row, cell in enumerate(metadata.get_column(name)):
        if isinstance(cell, list | tuple | dict | set | np.ndarray):
            raise MtlError(
                f"{metadata.locations[row]}: column '{name}': expected a text or a number, found {format_cell(cell)}"
            )
        if is_missing(cell):
            keys.append(None)
        elif isinstance(cell, float | np.floating) and float(cell).is_integer():
            keys.append(str(int(cell)))
        else:
            keys.append(str(cell).strip())
    return keys


def number_groups(units: SplitUnits, name: str) -> NDArray[np.int64]:
    """Return the group of each unit, `(units,)`, int64.

    Units with examples of the same group are in the same group, and so are, transitively, those that a further unit
    connects. An example without a cell is a group of its own.

    Raises:
        MtlError: If there is no such column, or a cell is a list or another object.
    """
    number_of_key: dict[str, int] = {}
    keys = read_group_keys(units.metadata, name)
    key_numbers = np.array(
        [-1 if key is None else number_of_key.setdefault(key, len(number_of_key)) for key in keys], dtype=np.int64
    )
    is_known = key_numbers >= 0
    # The graph has one node per unit, then one per key, and an edge for each example.
    n_nodes = len(units) + len(number_of_key)
    ends = (units.unit_of_example[is_known], len(units) + key_numbers[is_known])
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(n_nodes, n_nodes))
    _, components = connected_components(graph, directed=False)
    return np.unique(components[: len(units)], return_inverse=True)[1].reshape(-1).astype(np.int64)
