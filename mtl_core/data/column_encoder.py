"""Base class of the encoders of one input column, which also encode missing cells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from mtl_core.data.encoder import Encoder, Item, Parsed

ALL_MISSING = "all cells of training examples are missing"
"""The message for a column without a cell to fit an encoder to."""


class ColumnEncoder(Encoder[Parsed, Item]):
    """An encoder of the cells of one column. It encodes missing cells (None), and is fitted one cell at a time.

    Several such encoders are fitted in a single pass over the rows of a table. Other encoders can encode columns,
    too: the encoder `columns` replaces the features of their missing cells by learned values.
    """

    def is_empty(self, parsed: Parsed) -> bool:
        """Return whether a cell is missing."""
        return parsed is None

    @abstractmethod
    def partial_fit(self, parsed: Parsed) -> None:
        """Update the statistics with a parsed cell of a training example."""

    @abstractmethod
    def finish_fit(self) -> None:
        """Compute the fitted state from the statistics.

        Raises:
            MtlError: If all cells were missing.
        """

    def fit(self, parsed: Iterable[Parsed]) -> None:
        """Fit the encoder to the training cells in a single pass."""
        for cell in parsed:
            self.partial_fit(cell)
        self.finish_fit()
