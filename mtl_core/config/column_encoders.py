"""The default encoder of an experiment, and those of its input columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticKnownError

from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.column_types import COLUMN_TYPES
from mtl_core.plugins.specs import LoaderSpec
from mtl_core.plugins.strict_model import build_custom_error


def complete_encoder(value: Any, loaders: Sequence[LoaderSpec]) -> Any:
    """Add default encoders to an experiment's encoder, one per input column of its loaders that has none.

    Args:
        value: The block `encoder:`; an empty block if there is none. Without a type, it is one of columns.
        loaders: The loaders of the experiment.

    Returns:
        The block, or the type of the default encoder of all loaders if there is no block; unchanged if the loaders
        declare no input columns or the encoder is none of columns.

    Raises:
        PydanticKnownError: If there is no block, and the loaders declare neither input columns nor one default encoder.
        PydanticCustomError: If the block names an unknown column, or the loaders declare different columns.
    """
    input_types = [loader.input_types for loader in loaders]
    if not any(input_types):
        return _get_default_encoder(loaders) if value == {} else value
    if value == "columns":
        value = {"type": "columns"}
    if isinstance(value, Mapping) and "type" not in value:
        value = {"type": "columns", **value}
    if not isinstance(value, Mapping) or value.get("type") != "columns":
        return value
    if any(types != input_types[0] for types in input_types):
        raise build_custom_error("columns", "the data sets declare different input columns, so they share no encoder")
    columns = value.get("columns", {})
    if not isinstance(columns, Mapping):
        return value
    for name in columns:
        if name not in input_types[0]:
            message = (
                f"unknown input column '{name}'{did_you_mean(str(name), input_types[0])} "
                f"(input columns: {join_names(input_types[0])})"
            )
            raise build_custom_error("columns", message)
    completed = {}
    for name, column_type in input_types[0].items():
        block = columns.get(name, {})
        if isinstance(block, Mapping) and "type" not in block:
            block = {"type": COLUMN_TYPES.get(column_type, column_type), **block}
        completed[name] = block
    return {**value, "columns": completed}


def _get_default_encoder(loaders: Sequence[LoaderSpec]) -> str:
    """Return the type of the encoder that all loaders have by default.

    Raises:
        PydanticKnownError: If a loader has none, or they have different ones.
    """
    types = set()
    for loader in loaders:
        types.add(
            next((name for key, name in loader.default_encoders.items() if getattr(loader, key) is not None), None)
        )
    (encoder_type,) = types if len(types) == 1 else {None}
    if encoder_type is None:
        raise PydanticKnownError("missing")
    return encoder_type
