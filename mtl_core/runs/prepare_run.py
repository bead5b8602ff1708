"""Prepare the data of a run: of a new network, or of a run that extends another one."""

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.runs.extension_data import prepare_extension, select_tasks


def prepare_run(config: ExperimentConfig) -> FittedData:
    """Load, split and encode the data of a run, and fit its tasks.

    Raises:
        MtlError: If the data and the experiment do not match.
    """
    return prepare(config) if config.extends is None else prepare_extension(config, config.extends)


def select_trained_tasks(config: ExperimentConfig, data: FittedData) -> FittedData:
    """Return the data of the tasks that select the epoch: of an extended run, those of the added tasks."""
    return data if config.extends is None else select_tasks(data, config.extends.tasks)
