"""Tables in memory, one per split, as an experiment from Python holds them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_core.data.corpus import SplitName
from mtl_core.data.python_tables import Columns


@dataclass(frozen=True)
class MemoryTables:
    """The columns of the training data, and of predefined validation and test data.

    A deep copy is the same object: copies of an experiment share the data.

    Attributes:
        splits: Split to its columns; `train` is always there.
    """

    splits: Mapping[SplitName, Columns]

    def __deepcopy__(self, memo: Mapping[int, object]) -> "MemoryTables":
        return self

    @property
    def n_rows(self) -> int:
        """The number of rows of all splits."""
        return sum(len(next(iter(columns.values()))) for columns in self.splits.values())

    def compute_digest(self) -> str:
        """Compute the SHA-256 digest of all cells, in hexadecimal, which identifies the data of a run."""
        digest = hashlib.sha256()
        for split_name, columns in self.splits.items():
            for name, cells in columns.items():
                digest.update(f"\n{split_name} {name} {len(cells)}\n".encode())
                for cell in cells:
                    digest.update(_encode_cell(cell))
        return digest.hexdigest()


def _encode_cell(cell: Any) -> bytes:
    if isinstance(cell, np.ndarray):
        return f"{cell.dtype} {cell.shape} ".encode() + np.ascontiguousarray(cell).tobytes()
    if hasattr(cell, "tobytes"):  # an image of Pillow
        return f"{getattr(cell, 'mode', '')} {getattr(cell, 'size', '')} ".encode() + bytes(cell.tobytes())
    return json.dumps(cell, ensure_ascii=False, default=repr).encode("utf-8", "surrogatepass") + b"\n"
