"""The settings that must be the same in every trial; otherwise their scores are not comparable."""

from collections.abc import Iterator
from typing import Any

from mtl_core.config.experiment import ExperimentConfig


def get_evaluation_settings(config: ExperimentConfig) -> Iterator[tuple[str, Any]]:
    """Yield the settings that determine the metric and the examples, with their values."""
    yield "data", config.data
    yield "data_sets", config.data_sets
    yield "split", config.split
    yield "seed", config.seed
    yield "training.select", config.training.select
    yield "training.refit", config.training.refit
    yield "active_tasks", config.active_tasks
    yield "the number of tasks", len(config.tasks)
    for index, task in enumerate(config.tasks):
        for name in ("name", "label", "each", "data", "mask"):
            yield f"tasks.{index}.{name}", getattr(task, name, None)
        yield f"tasks.{index}.kind.type", task.kind.type
        yield f"tasks.{index}.kind.metrics", getattr(task.kind, "metrics", None)


def find_first_change(
    before: ExperimentConfig, after: ExperimentConfig, ignored_prefix: str | None = None
) -> str | None:
    """Return the name of the first setting that differs; None if all are equal.

    Args:
        before: An experiment.
        after: The experiment to compare with it.
        ignored_prefix: Settings whose names start with it are ignored; None for none.
    """
    old_settings = dict(get_evaluation_settings(before))
    for name, value in get_evaluation_settings(after):
        is_equal = name in old_settings and old_settings[name] == value
        if not is_equal and not (ignored_prefix and name.startswith(ignored_prefix)):
            return name
    return None
