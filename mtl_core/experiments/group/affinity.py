"""The short training that measures the affinities of tasks."""

import math
from pathlib import Path

from mtl_core.artifacts.interactions import TaskInteractions, read_interactions
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.yaml_file import dump_inline_yaml
from mtl_core.errors import MtlError
from mtl_core.experiments.trials import Trial, get_run_dir

AFFINITY_RUN = "affinity"
"""The prefix of the directory of the measurement."""
EPOCH_SHARE = 0.25
"""The share of the experiment's epochs for which affinities are measured."""
TASKS_PER_STEP = 50
"""Of more tasks than this, not every step is measured: of 125, every third."""

PARAMETER_STEPS = 20
"""Steps between comparisons of gradients at the shared parameters, which cost a pass per task."""


def build_affinity_trial(config: ExperimentConfig, n_tasks: int, epochs: int | None, output_dir: Path) -> Trial:
    """Build the trial that measures affinities: one network for all tasks, trained for some of the epochs.

    Gradients are compared at the features that all heads read. They are compared at the shared parameters, in every
    twentieth step, if the architecture has features per task, or if tasks of different data sets have no common
    examples.

    Args:
        config: The experiment.
        n_tasks: Number of active tasks.
        epochs: Number of epochs; None for a quarter of the experiment's.
        output_dir: The output directory of all trainings.
    """
    has_shared_features = not config.architecture.task_specific_features and len(config.loaders) == 1
    interactions = {
        "every_n_steps": math.ceil(n_tasks / TASKS_PER_STEP) if has_shared_features else PARAMETER_STEPS,
        "gradients": "features" if has_shared_features else "parameters",
        "affinity": True,
        "max_groups": 2,
    }
    overrides = [
        f"interactions={dump_inline_yaml(interactions)}",
        f"training.epochs={epochs or max(1, math.ceil(EPOCH_SHARE * config.training.epochs))}",
        "training.refit=false",
        "training.calibrate=false",
        f"seed={config.seed}",
    ]
    if config.trackers:
        overrides.append("trackers=[]")
    return Trial(AFFINITY_RUN, config.seed, None, overrides, get_run_dir(output_dir, AFFINITY_RUN, config.seed, None))


def read_affinities(trial: Trial) -> TaskInteractions:
    """Read the measured affinities.

    Raises:
        MtlError: If the measurement has none.
    """
    path = RunDirectory(trial.run_dir).interactions
    interactions = read_interactions(path)
    if interactions is None or interactions.affinity is None:
        raise MtlError(
            f"{path}: no affinity of two tasks was measured; measure more epochs (--affinity-epochs), or larger "
            "batches (--set training.batch_size=…), so that batches have labels of several tasks"
        )
    return interactions
