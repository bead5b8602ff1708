"""Licence notes about data and pretrained weights, collected from all specs of an experiment."""

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.iterate_specs import iterate_specs


def collect_licence_notes(config: ExperimentConfig) -> list[str]:
    """Collect the licence notes of every spec of an experiment, without duplicates."""
    notes = list(dict.fromkeys(note for spec in iterate_specs(config) for note in spec.list_licence_notes()))
    if config.init_from is not None:
        notes.append(f"The initial weights come from the run {config.init_from.run.name}; its model card applies, too.")
    return notes
