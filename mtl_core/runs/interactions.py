"""Measurement of task interactions during a run, and `interactions.json`."""

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
    """Build the interaction observer if the experiment configures one.

    Returns:
        The observer; None without `interactions`, and where `learn` selects a single task of several.

    Raises:
        MtlError: If the experiment declares only one task.
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
            "remove `interactions`"
        )
    main = sum(task.auxiliary is None for task in tasks)
    return InteractionObserver(names, main, config.interactions, config.training.epochs)


def check_anything_shared(config: ExperimentConfig, network: MultiTaskNetwork, sizes: Sequence[int]) -> None:
    """Check that tasks share parameters if the experiment compares their gradients.

    Args:
        config: The experiment.
        network: The network.
        sizes: Number of tasks in each head group.

    Raises:
        MtlError: If tasks share no trainable parameter.
    """
    if config.interactions is not None and not shared_parameters(network, sizes):
        raise MtlError(
            "interactions: compares the gradients of tasks at the parameters that they share, but with the "
            f"architecture '{config.architecture.type}' and the backbone '{config.backbone.type}' they share none "
            "that is trained; remove `interactions`, or choose another architecture (`hard-sharing`)"
        )


def write_interactions(run: RunDirectory, observer: InteractionObserver) -> Measured:
    """Write `interactions.json`, and return the measured interactions."""
    found = measured(observer)
    write_text_atomically(run.interactions, json_text({**asdict(found), "suggestions": suggestions(found)}))
    return found
