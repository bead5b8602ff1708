"""Inputs that stay in their file until they are asked for."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.rows import RowByRow


class StoredInputs(RowByRow[object]):
    """A corpus's inputs, read from disk one at a time: more of them than memory would hold.

    Whoever reads a corpus parses such inputs batch by batch instead of all at once.
    """

    @property
    @abstractmethod
    def sizes(self) -> NDArray[np.int32]:
        """How long each input is, `(rows,)`: characters, words or numbers. Known without reading any."""
