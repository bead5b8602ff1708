"""Inputs that stay on disk and are read on access."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from mtl_core.data.virtual_sequence import VirtualSequence


class StoredInputs(VirtualSequence[object]):
    """The inputs of a corpus that does not fit into memory, read from disk one at a time.

    Such inputs are parsed batch by batch instead of all at once.
    """

    @property
    @abstractmethod
    def sizes(self) -> NDArray[np.int32]:
        """Length of each input, `(rows,)`, int32: characters, words or numbers. Known without reading inputs."""
