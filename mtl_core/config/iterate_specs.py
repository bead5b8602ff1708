"""Iteration over the specs of an experiment."""

from collections.abc import Iterator

from pydantic import BaseModel

from mtl_core.plugins.specs import Spec


def iterate_specs(value: object) -> Iterator[Spec]:
    """Yield all specs in a nested value, such as an experiment, in the order of the fields."""
    if isinstance(value, Spec):
        yield value
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from iterate_specs(item)
