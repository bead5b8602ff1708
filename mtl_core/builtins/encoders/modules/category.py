"""The encoder of one category per example."""

from collections.abc import Sequence
from typing import Any

from mtl_core.builtins.encoders.modules.multi_category import Categories, MultiCategoryEncoder
from mtl_core.data.column_types import parse_cell


class CategoryEncoder(MultiCategoryEncoder):
    """Encoder of one category per example, as a list of one; arguments as for `MultiCategoryEncoder`."""

    def parse(self, inputs: Sequence[Any]) -> list[Categories]:
        """Parse categories: texts, and numbers and truth values as texts.

        Raises:
            MtlError: If an input is no category.
        """
        categories = [parse_cell(value, "category") for value in inputs]
        return [None if category is None else (category,) for category in categories]
