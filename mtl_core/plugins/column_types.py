"""The types of input columns, and the encoder that each has by default."""

from collections.abc import Mapping

COLUMN_TYPES: Mapping[str, str] = {
    "text": "embedding",
    "number": "number",
    "category": "category",
    "multi-category": "multi-category",
    "date": "date",
    "image": "image",
    "array": "array",
    "sparse": "sparse",
}
"""Column type to the type name of its default encoder."""
