"""The overrides of the baselines of a comparison: equal weights, and single-task networks."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.yaml_file import dump_inline_yaml


def build_equal_weight_overrides(config: ExperimentConfig) -> list[str]:
    """Return the overrides that give all tasks equal weights (Kurin et al., 2022); empty if weights are equal."""
    has_plain_sum = config.weighting.type == "sum" and config.weighting == type(config.weighting).model_validate({})
    overrides = [] if has_plain_sum else ["weighting={type: sum}"]
    return overrides + [f"tasks.{index}.weight=1" for index, task in enumerate(config.tasks) if task.weight != 1]


def build_single_task_overrides(config: ExperimentConfig, task: str) -> list[str]:
    """Return the overrides of an independent single-task network, without auxiliary tasks, sharing or weighting."""
    overrides = build_independent_overrides(config, [task])
    select = config.training.select
    if select.aggregation not in {None, "overall", "mean", "relative_error_reduction", task}:
        overrides.append(f"training.select={dump_inline_yaml({'aggregation': task})}")
    if config.init_from is not None:
        patterns = [pattern for pattern in config.init_from.weights if _can_match_task(pattern, task)]
        if patterns != config.init_from.weights:
            overrides.append(f"init_from.weights={dump_inline_yaml(patterns)}" if patterns else "init_from=null")
    return overrides


def build_independent_overrides(config: ExperimentConfig, tasks: Sequence[str]) -> list[str]:
    """Return the overrides of independent networks of some tasks, which are trained at once.

    The epoch of each network is selected by its own task, also if the experiment selects it by another one.
    """
    overrides = [f"active_tasks={dump_inline_yaml(list(tasks))}", *build_equal_weight_overrides(config)]
    if config.auxiliary:
        overrides.append("auxiliary=[]")
    if config.architecture.type != "hard-sharing":
        overrides.append("architecture={type: hard-sharing}")
    if config.interactions is not None:
        overrides.append("interactions=null")
    return overrides


def _can_match_task(pattern: str, task: str) -> bool:
    """Return whether a pattern of weight names can match a weight of a single-task network."""
    head_prefix = f"heads.{task}."
    return (
        not pattern.startswith("heads.")
        or pattern.startswith(head_prefix)
        or fnmatchcase(f"{head_prefix}weight", pattern)
    )
