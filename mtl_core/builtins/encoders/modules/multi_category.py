"""The encoder of several categories per example."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.encoders.modules.category_vocabulary import MISSING, OOV, PADDING, CategoryVocabulary
from mtl_core.data.column_encoder import ALL_MISSING, ColumnEncoder
from mtl_core.data.column_types import parse_cell
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape

Categories = tuple[str, ...] | None
Item = NDArray[np.int32]
"""Rows of the table, `(categories,)`, int32."""


class CategoryEmbedding(nn.Module):
    """Input layer of categories: the mean of their vectors.

    Args:
        table: `(rows, dimensions)`: the vectors.
        category_dropout: Probability that a category becomes out-of-vocabulary during training.
    """

    def __init__(self, table: nn.Parameter, category_dropout: float) -> None:
        super().__init__()
        self.table = table
        self.category_dropout = category_dropout
        self.output = FeatureShape(table.shape[1])

    def forward(self, rows: torch.Tensor) -> Features:
        """Return features `(batch, dimensions)` of rows `(batch, categories)`, int64."""
        mask = rows != PADDING
        if self.training and self.category_dropout:
            drop_mask = torch.rand(rows.shape, device=rows.device) < self.category_dropout
            rows = rows.masked_fill(drop_mask & (rows > OOV), OOV)
        vectors = F.embedding(rows, self.table, padding_idx=PADDING)
        weights = mask.unsqueeze(-1).to(vectors.dtype)
        return Features((vectors * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1))


class MultiCategoryEncoder(ColumnEncoder[Categories, Item]):
    """Encoder of any number of categories per example.

    Args:
        dimensions: Size of the vectors.
        min_count: Minimum number of training examples per category.
        max_categories: Maximum number of categories.
        category_dropout: Probability that a category becomes out-of-vocabulary during training.
        refuse_oov: Whether out-of-vocabulary categories are errors.
    """

    def __init__(
        self, dimensions: int, min_count: int, max_categories: int, category_dropout: float, refuse_oov: bool
    ) -> None:
        self._dimensions = dimensions
        self._category_dropout = category_dropout
        self._vocabulary = CategoryVocabulary(min_count, max_categories, refuse_oov)
        self._is_fitted = False

    def parse(self, inputs: Sequence[Any]) -> list[Categories]:
        """Parse lists of categories.

        Raises:
            MtlError: If an input is no list of categories.
        """
        return [parse_cell(value, "multi-category") for value in inputs]

    def partial_fit(self, parsed: Categories) -> None:
        """Count categories."""
        if parsed is not None:
            self._is_fitted = True
            self._vocabulary.count(set(parsed))

    def finish_fit(self) -> None:
        """Select the categories of the table."""
        if not self._is_fitted:
            raise MtlError(ALL_MISSING)
        self._vocabulary.finish()

    def encode(self, parsed: Sequence[Categories]) -> list[Item]:
        """Look up the rows of categories."""
        return [
            np.array([MISSING] if categories is None else self._vocabulary.find_rows(categories), dtype=np.int32)
            for categories in parsed
        ]

    def collate(self, items: Sequence[Item]) -> torch.Tensor:
        """Pad to the largest number of categories: `(batch, categories)`, int64."""
        rows = np.full((len(items), max(1, *(len(item) for item in items))), PADDING, dtype=np.int64)
        for index, item in enumerate(items):
            rows[index, : len(item)] = item
        return torch.from_numpy(rows)

    def input_layer(self) -> nn.Module:
        """Build the table of vectors."""
        return CategoryEmbedding(self._vocabulary.build_table(self._dimensions), self._category_dropout)

    def state(self) -> dict[str, Any]:
        """Return the categories."""
        return {"categories": self._vocabulary.categories}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the categories."""
        self._vocabulary.categories = state["categories"]
