"""The encoders of a column of categories: one per example, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtl_core.plugins.number_fields import Probability
from mtl_core.plugins.specs import EncoderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.encoders.modules.category import CategoryEncoder
    from mtl_core.builtins.encoders.modules.multi_category import MultiCategoryEncoder


class Category(EncoderSpec):
    """One category per example: one learned vector per category of the training examples.

    Out-of-vocabulary categories share one vector; missing cells have another.
    """

    type: Literal["category"] = "category"
    dimensions: PositiveInt = 16
    """Size of the vectors."""
    min_count: PositiveInt = 1
    """Minimum number of training examples for a category to get a vector; rarer ones are out-of-vocabulary."""
    max_categories: PositiveInt = 10_000
    """Maximum number of categories that get a vector: the most frequent ones."""
    category_dropout: Probability = 0.0
    """Probability that a category is replaced by the out-of-vocabulary one during training, which trains its vector."""
    oov: Literal["embed", "error"] = "embed"
    """Out-of-vocabulary categories: `embed` gives them their common vector, `error` refuses them."""

    def build(self) -> CategoryEncoder:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.category import CategoryEncoder

        return CategoryEncoder(
            self.dimensions, self.min_count, self.max_categories, self.category_dropout, self.oov == "error"
        )


class MultiCategory(Category):
    """Any number of categories per example: the mean of their learned vectors, zeros if there are none.

    Out-of-vocabulary categories share one vector; missing cells have another.
    """

    type: Literal["multi-category"] = "multi-category"  # type: ignore[assignment]  # another name of a type

    def build(self) -> MultiCategoryEncoder:  # type: ignore[override]
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.multi_category import MultiCategoryEncoder

        return MultiCategoryEncoder(
            self.dimensions, self.min_count, self.max_categories, self.category_dropout, self.oov == "error"
        )
