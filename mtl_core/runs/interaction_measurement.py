"""Measurement of task interactions during a run, and `interactions.json`."""

from collections.abc import Sequence
from dataclasses import asdict

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.prepare import FittedData
from mtl_core.errors import MtlError
from mtl_core.evaluation.interaction_suggestions import build_suggestions
from mtl_core.evaluation.task_interactions import TaskInteractions, summarize_interactions
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.result_files import dump_json
from mtl_core.training.gradients import find_shared_parameters
from mtl_core.training.interaction_observer import InteractionObserver


def build_interaction_observer(config: ExperimentConfig, data: FittedData) -> InteractionObserver | None:
    """Build the interaction observer if the experiment configures one.

    Returns:
        The observer; None without `interactions`, and where `active_tasks` selects a single task of several.

    Raises:
        MtlError: If the experiment declares only one task.
    """
    if config.interactions is None:
        return None
    tasks = [task for group in data.groups for task in group.tasks]
    names = [task.name for task in tasks]
    if len(names) == 1 and data.inactive_tasks:
        return None
    if len(names) == 1:
        raise MtlError(
            f"interactions: compares the gradients of several tasks, but '{names[0]}' is the only one; "
            "remove `interactions`"
        )
    n_main_tasks = sum(task.auxiliary_spec is None for task in tasks)
    return InteractionObserver(names, n_main_tasks, config.interactions, config.training.epochs)


def check_shared_parameters(
    config: ExperimentConfig, network: MultiTaskNetwork, group_sizes: Sequence[int]
) -> None:
    """Check that tasks share parameters if the experiment compares their gradients.

    Args:
        config: The experiment.
        network: The network.
        group_sizes: Number of tasks in each head group.

    Raises:
        MtlError: If tasks share no trainable parameter.
    """
    if config.interactions is not None and not find_shared_parameters(network, group_sizes):
        raise MtlError(
            "interactions: compares the gradients of tasks at the parameters that they share, but with the "
            f"architecture '{config.architecture.type}' and the backbone '{config.backbone.type}' they share none "
            "that is trained; remove `interactions`, or choose another architecture (`hard-sharing`)"
        )


def write_interactions(run: RunDirectory, observer: InteractionObserver) -> TaskInteractions:
    """Write `interactions.json`, and return the measured interactions."""
    interactions = summarize_interactions(observer)
    write_text_atomically(
        run.interactions, dump_json({**asdict(interactions), "suggestions": build_suggestions(interactions)})
    )
    return interactions
