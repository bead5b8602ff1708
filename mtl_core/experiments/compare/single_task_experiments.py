"""The experiments of single-task networks, derived from few loaded ones."""

from collections.abc import Sequence
from dataclasses import replace

from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import Experiment
from mtl_core.experiments.compare.baselines import build_single_task_overrides


class SingleTaskExperiments:
    """Loads the experiments of single-task networks.

    Validation takes time that grows with the number of tasks, so hundreds of tasks would be validated hundreds of
    times. Experiments that differ only in their active task are validated once.

    Args:
        source: The experiment.
        overrides: Overrides of all networks.
        base: The validated experiment with these overrides.
    """

    def __init__(self, source: ExperimentSource, overrides: Sequence[str], base: Experiment) -> None:
        self._source, self._overrides, self._base = source, overrides, base
        self._loaded: dict[tuple[str, ...], Experiment] = {}

    def load(self, task: str) -> tuple[list[str], Experiment]:
        """Return the overrides and the validated experiment of the network of a task.

        Args:
            task: The name of an active task.

        Raises:
            MtlError: If the overrides are invalid.
        """
        active_override, *other_overrides = overrides = build_single_task_overrides(self._base.config, task)
        key = tuple(other_overrides)
        if key not in self._loaded:
            self._loaded[key] = self._source.load([*self._overrides, active_override, *other_overrides])
        loaded = self._loaded[key]
        active_tasks = {"active_tasks": [task]}
        config = loaded.config.model_copy(update=active_tasks)
        return overrides, replace(loaded, config=config, value={**loaded.value, **active_tasks})
