"""Bemis-Murcko scaffolds, and the split by them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mtl_core import MtlError
from mtl_core.data import ExampleMetadata, SplitUnits
from mtl_molecules.read_smiles import read_smiles

SPLIT_NAMES = ("training", "validation", "test")


def compute_scaffold(smiles: object) -> str:
    """Return the canonical SMILES of the scaffold of a molecule; an empty text if it has no ring.

    Raises:
        MtlError: If the SMILES is invalid.

    Example:
        >>> compute_scaffold("Cc1ccccc1CC(=O)O")
        'c1ccccc1'
    """
    molecule = read_smiles(smiles)
    with rdBase.BlockLogs():
        scaffold: str = MurckoScaffold.MurckoScaffoldSmiles(mol=molecule, includeChirality=False)
    return scaffold


def compute_scaffolds(metadata: ExampleMetadata, column: str) -> list[str]:
    """Return the scaffold of each example.

    Raises:
        MtlError: If there is no such column, or a SMILES is missing or invalid.
    """
    scaffold_by_smiles: dict[object, str] = {}
    scaffolds = []
    for row, smiles in enumerate(metadata.get_column(column)):
        if smiles not in scaffold_by_smiles:
            try:
                scaffold_by_smiles[smiles] = compute_scaffold(smiles)
            except MtlError as error:
                raise MtlError(f"{metadata.locations[row]}: column '{column}': {error}") from error
        scaffolds.append(scaffold_by_smiles[smiles])
    return scaffolds


def split_by_scaffold(units: SplitUnits, column: str, validation: float, test: float) -> NDArray[np.int8]:
    """Assign the scaffolds of units to training, validation and test data, the most frequent ones first.

    Args:
        units: The units.
        column: The column of SMILES.
        validation: The fraction of validation examples.
        test: The fraction of test examples.

    Returns:
        `(units,)`, int8: 0 for training, 1 for validation, 2 for test.

    Raises:
        MtlError: If there is no such column, or a part with a share would be empty.
    """
    groups = _group_units(units, compute_scaffolds(units.metadata, column))
    parts = _assign(groups, units.sizes, (1 - validation - test, validation, test))
    for part, share in enumerate((1 - validation - test, validation, test)):
        if share > 0 and not (parts == part).any():
            largest = max(int(units.sizes[members].sum()) for members in groups)
            raise MtlError(
                f"split: {len(groups)} scaffolds leave no {SPLIT_NAMES[part]} molecule; the most frequent "
                f"one has {largest} of {int(units.sizes.sum())} molecules"
            )
    return parts


def _group_units(units: SplitUnits, scaffolds: Sequence[str]) -> list[list[int]]:
    """Return the units of each scaffold; scaffolds that share a unit are one."""
    number_of_scaffold: dict[str, int] = {}
    numbers = [number_of_scaffold.setdefault(scaffold, len(number_of_scaffold)) for scaffold in scaffolds]
    # The graph has one node per unit, then one per scaffold, and an edge for each example.
    n_nodes = len(units) + len(number_of_scaffold)
    ends = (units.unit_of_example, len(units) + np.array(numbers, dtype=np.int64))
    graph = coo_array((np.ones(len(numbers), dtype=np.int8), ends), shape=(n_nodes, n_nodes))
    groups: dict[int, list[int]] = {}
    for unit, group in enumerate(connected_components(graph, directed=False)[1][: len(units)].tolist()):
        groups.setdefault(group, []).append(unit)
    return list(groups.values())


def _assign(
    groups: Sequence[Sequence[int]], sizes: NDArray[np.int64], shares: tuple[float, float, float]
) -> NDArray[np.int8]:
    """Assign groups to the first part that has room for them; the last part takes the rest."""
    n_examples = int(sizes.sum())
    limits = (shares[0] * n_examples, (shares[0] + shares[1]) * n_examples)
    parts = np.zeros(len(sizes), dtype=np.int8)
    filled = [0, 0, 0]
    group_sizes = [int(sizes[list(members)].sum()) for members in groups]
    for index in sorted(range(len(groups)), key=lambda index: (-group_sizes[index], groups[index][0])):
        size = group_sizes[index]
        if filled[0] + size <= limits[0]:
            part = 0
        elif shares[2] == 0 or (shares[1] > 0 and filled[0] + filled[1] + size <= limits[1]):
            part = 1
        else:
            part = 2
        filled[part] += size
        parts[list(groups[index])] = part
    return parts
