"""Measurement of task interactions during a run, and `interactions.json`."""

from dataclasses import replace

from mtl_core.artifacts.interactions import TaskInteractions
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.fitted_data import FittedData
from mtl_core.errors import MtlError
from mtl_core.evaluation.interaction_suggestions import build_suggestions
from mtl_core.evaluation.task_interactions import summarize_interactions
from mtl_core.training.interaction_observer import InteractionObserver


def build_interaction_observer(config: ExperimentConfig, data: FittedData) -> InteractionObserver | None:
    """Build the interaction observer if the experiment configures one.

    Returns:
        The observer; None without `interactions`, and where `active_tasks` selects a single task of several.

    Raises:
        MtlError: If the experiment declares only one task, or features are compared that tasks do not share.
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
    if config.interactions.gradients == "features" and config.architecture.task_specific_features:
        raise MtlError(
            "interactions.gradients: `features` compares gradients at the features that all heads read, but the "
            f"architecture '{config.architecture.type}' has features per task; use `parameters`, or another "
            "architecture (`hard-sharing`)"
        )
    n_main_tasks = sum(task.auxiliary_spec is None for task in tasks)
    return InteractionObserver(names, n_main_tasks, config.interactions, config.training.epochs, config.seed)


def write_interactions(run: RunDirectory, observer: InteractionObserver) -> TaskInteractions:
    """Write `interactions.json`, and return the measured interactions."""
    interactions = summarize_interactions(observer)
    interactions = replace(interactions, suggestions=build_suggestions(interactions))
    interactions.write(run.interactions)
    return interactions
