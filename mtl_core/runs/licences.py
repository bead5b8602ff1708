"""Licence notes about data and pretrained weights, collected from all specs of an experiment."""

from collections.abc import Iterator

from pydantic import BaseModel

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.specs import Spec


def licence_notes(config: ExperimentConfig) -> list[str]:
    """Collect the licence notes of every spec of an experiment, without duplicates."""
    notes = list(dict.fromkeys(note for spec in _specs(config) for note in spec.licence_notes()))
    if config.start_from is not None:
        notes.append(
            f"The initial weights come from the run {config.start_from.run.name}; its model card applies, too."
        )
    return notes


def _specs(value: object) -> Iterator[Spec]:
    """Yield all specs in a nested value, in the order of the fields."""
    if isinstance(value, Spec):
        yield value
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _specs(one)
