"""The overrides of a network that trains some of the tasks."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.yaml_file import dump_inline_yaml
from mtl_core.experiments.compare.baselines import build_single_task_overrides


def build_group_overrides(config: ExperimentConfig, tasks: Sequence[str], all_tasks: Sequence[str]) -> list[str]:
    """Return the overrides of a network for some tasks, with the split and the settings of all tasks.

    A network for a single task is the one that `mtl compare` trains: without auxiliary tasks, sharing or weighting.

    Args:
        config: The experiment.
        tasks: The tasks of the network.
        all_tasks: All active tasks.
    """
    if len(tasks) == 1:
        return build_single_task_overrides(config, tasks[0])
    overrides = [f"active_tasks={dump_inline_yaml(list(tasks))}"] if set(tasks) != set(all_tasks) else []
    if config.interactions is not None:
        overrides.append("interactions=null")
    excluded = [task for task in all_tasks if task not in tasks]
    if config.training.select.aggregation in excluded:
        overrides.append("training.select.aggregation=null")
    if config.init_from is not None:
        patterns = [
            pattern for pattern in config.init_from.weights if not _matches_only(pattern, excluded, list(tasks))
        ]
        if patterns != config.init_from.weights:
            overrides.append(f"init_from.weights={dump_inline_yaml(patterns)}" if patterns else "init_from=null")
    return overrides


def _matches_only(pattern: str, excluded: Sequence[str], included: Sequence[str]) -> bool:
    """Return whether a pattern of weight names matches heads of excluded tasks, and no weight of the network."""

    def matches(task: str) -> bool:
        prefix = f"heads.{task}."
        return pattern.startswith(prefix) or fnmatchcase(f"{prefix}weight", pattern)

    return pattern.startswith("heads.") and any(map(matches, excluded)) and not any(map(matches, included))
