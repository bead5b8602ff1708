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
EPOCH_SHARE, MAX_EPOCH_SHARE = 0.2, 0.5
"""The share of the experiment's epochs in which affinities are measured, and its maximum for few steps per epoch."""
MEASURED_STEPS = 150
"""Number of measured steps, spread evenly over a training with more steps."""
PARAMETER_STEPS = 20
"""Steps between comparisons of gradients at the shared parameters, which cost a pass per task."""


def build_affinity_trial(config: ExperimentConfig, n_examples: int, epochs: int | None, output_dir: Path) -> Trial:
    """Build the trial that measures affinities: one network for all tasks, trained for some of the epochs.

    Gradients are compared at the features that all heads read. They are compared at the shared parameters, in every
    twentieth step, if the architecture has features per task, or if tasks of different data sets have no common
    examples.

    Args:
        config: The experiment.
        n_examples: Number of training examples, including those of the validation split.
        epochs: Number of epochs; None for a fifth of the experiment's, or for more if these have less than
            `MEASURED_STEPS` steps, but at most half.
        output_dir: The output directory of all trainings.
    """
    steps_per_epoch = math.ceil(n_examples / config.training.batch_size)
    n_epochs = epochs or _choose_epochs(config.training.epochs, steps_per_epoch)
    n_steps = n_epochs * steps_per_epoch
    has_shared_features = not config.architecture.task_specific_features and len(config.loaders) == 1
    interactions = {
        "every_n_steps": max(1, n_steps // MEASURED_STEPS) if has_shared_features else PARAMETER_STEPS,
        "gradients": "features" if has_shared_features else "parameters",
        "affinity": True,
        "max_groups": 2,
    }
    overrides = [
        f"interactions={dump_inline_yaml(interactions)}",
        f"training.epochs={n_epochs}",
        "training.refit=false",
        "training.calibrate=false",
        f"seed={config.seed}",
    ]
    if config.trackers:
        overrides.append("trackers=[]")
    return Trial(AFFINITY_RUN, config.seed, None, overrides, get_run_dir(output_dir, AFFINITY_RUN, config.seed, None))


def _choose_epochs(epochs: int, steps_per_epoch: int) -> int:
    """Return the number of measured epochs of an experiment with a number of epochs."""
    enough = max(EPOCH_SHARE * epochs, MEASURED_STEPS / max(steps_per_epoch, 1))
    return max(1, math.ceil(min(enough, MAX_EPOCH_SHARE * epochs)))


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
