"""Watching what tasks do to each other during a run, and writing it down."""

from collections.abc import Sequence
from dataclasses import asdict

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.interactions.measured import Measured, measured
from mtl_core.interactions.suggestions import suggestions
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.results import json_text
from mtl_core.training.gradients import shared_parameters
from mtl_core.training.interactions import InteractionObserver


def interaction_observer(config: ExperimentConfig, prepared: Prepared) -> InteractionObserver | None:
    """Make the observer that an experiment asks for, if it does. A single task of several is let pass (`learn`).

    Raises:
        MtlError: If there is but one task.
    """
    if config.interactions is None:
        return None
    tasks = [task for group in prepared.groups for task in group.tasks]
    names = [task.name for task in tasks]
    if len(names) == 1 and prepared.others:
        return None
    if len(names) == 1:
        raise MtlError(
            f"interactions: compares the gradients of several tasks, but '{names[0]}' is the only one; "
            "leave `interactions` out"
        )
    main = sum(task.auxiliary is None for task in tasks)
    return InteractionObserver(names, main, config.interactions, config.training.epochs)


def check_anything_shared(config: ExperimentConfig, network: MultiTaskNetwork, sizes: Sequence[int]) -> None:
    """Refuse to compare gradients at shared parameters where there are none.

    Args:
        config: The experiment.
        network: The network.
        sizes: Tasks in each of its groups.

    Raises:
        MtlError: If tasks share no parameter that is trained.
    """
    if config.interactions is not None and not shared_parameters(network, sizes):
        raise MtlError(
            "interactions: compares the gradients of tasks at the parameters that they share, but with the "
            f"architecture '{config.architecture.type}' and the backbone '{config.backbone.type}' they share none "
            "that is trained; leave `interactions` out, or take another architecture (`hard-sharing`)"
        )


def write_interactions(run: RunDirectory, observer: InteractionObserver) -> Measured:
    """Write `interactions.json`."""
    found = measured(observer)
    write_text_atomically(run.interactions, json_text({**asdict(found), "suggestions": suggestions(found)}))
    return found
