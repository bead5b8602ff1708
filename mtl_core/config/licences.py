"""Licence notes about data and pretrained weights, collected from all specs of an experiment."""

from collections.abc import Iterator

from pydantic import BaseModel

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.plugins.specs import Spec


def collect_licence_notes(config: ExperimentConfig) -> list[str]:
    """Collect the licence notes of every spec of an experiment, without duplicates."""
    notes = list(dict.fromkeys(note for spec in _iterate_specs(config) for note in spec.list_licence_notes()))
    if config.init_from is not None:
        notes.append(f"The initial weights come from the run {config.init_from.run.name}; its model card applies, too.")
    return notes


def _iterate_specs(value: object) -> Iterator[Spec]:
    """Yield all specs in a nested value, in the order of the fields."""
    if isinstance(value, Spec):
        yield value
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _iterate_specs(item)
