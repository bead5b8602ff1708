"""The categories of a column, and the table of their vectors."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError, did_you_mean, join_names

PADDING, MISSING, OOV = 0, 1, 2
N_SPECIAL_ROWS = 3
"""Number of rows before the first category."""


class CategoryVocabulary:
    """The categories of the training examples, most frequent first.

    Args:
        min_count: Minimum number of training examples per category.
        max_categories: Maximum number of categories.
        refuse_oov: Whether categories that are not in the vocabulary are errors.
    """

    def __init__(self, min_count: int, max_categories: int, refuse_oov: bool) -> None:
        self._min_count = min_count
        self._max_categories = max_categories
        self._refuse_oov = refuse_oov
        self._counts: Counter[str] = Counter()
        self._rows: dict[str, int] = {}

    @property
    def categories(self) -> list[str]:
        """The categories, in the order of their rows."""
        return list(self._rows)

    @categories.setter
    def categories(self, categories: Iterable[str]) -> None:
        self._rows = {name: row for row, name in enumerate(categories, start=N_SPECIAL_ROWS)}

    def count(self, categories: Iterable[str]) -> None:
        """Count the categories of a training example."""
        self._counts.update(categories)

    def finish(self) -> None:
        """Select the most frequent categories; sort ties alphabetically."""
        frequent = sorted((-count, name) for name, count in self._counts.items() if count >= self._min_count)
        self.categories = [name for _, name in frequent[: self._max_categories]]
        self._counts.clear()

    def find_rows(self, categories: Sequence[str]) -> list[int]:
        """Return the row of each category.

        Raises:
            MtlError: If a category is not in the vocabulary and such categories are refused.
        """
        if self._refuse_oov:
            for name in categories:
                if name not in self._rows:
                    raise MtlError(
                        f"the category '{name}' does not occur in the training data{did_you_mean(name, self._rows)} "
                        f"(categories: {join_names(self._rows)})"
                    )
        return [self._rows.get(name, OOV) for name in categories]

    def build_table(self, dimensions: int) -> nn.Parameter:
        """Return a table with a random vector per category, and zeros for padding, missing and unknown ones."""
        table = torch.randn(len(self._rows) + N_SPECIAL_ROWS, dimensions) * 0.1
        table[:N_SPECIAL_ROWS] = 0
        return nn.Parameter(table)
