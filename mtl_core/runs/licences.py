"""What is to be minded about data and pretrained weights, gathered from the parts of an experiment."""

from collections.abc import Iterator

from pydantic import BaseModel

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.specs import Spec


def licence_notes(config: ExperimentConfig) -> list[str]:
    """Ask every part of an experiment, each note once."""
    notes = list(dict.fromkeys(note for spec in _specs(config) for note in spec.licence_notes()))
    if config.start_from is not None:
        notes.append(
            f"It began with weights of the run {config.start_from.run.name}; what its card says holds, too."
        )
    return notes


def _specs(value: object) -> Iterator[Spec]:
    """The parts in a value, however deep they lie, in the order of the fields."""
    if isinstance(value, Spec):
        yield value
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _specs(one)
