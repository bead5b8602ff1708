"""The settings that must be the same in every trial; otherwise their scores are not comparable."""

from collections.abc import Iterator
from typing import Any

from mtl_core.config.experiment import ExperimentConfig


def measured(config: ExperimentConfig) -> Iterator[tuple[str, Any]]:
    """Yield the settings that determine the metric and the examples, with their values."""
    yield "data", config.data
    yield "data_sets", config.data_sets
    yield "split", config.split
    yield "seed", config.seed
    yield "training.select", config.training.select
    yield "training.refit", config.training.refit
    yield "learn", config.learn
    yield "the number of tasks", len(config.tasks)
    for place, task in enumerate(config.tasks):
        for name in ("name", "label", "each", "data", "mask"):
            yield f"tasks.{place}.{name}", getattr(task, name, None)
        yield f"tasks.{place}.kind.type", task.kind.type
        yield f"tasks.{place}.kind.metrics", getattr(task.kind, "metrics", None)


def first_change(before: ExperimentConfig, after: ExperimentConfig) -> str | None:
    """Return the name of the first setting that differs; None if all are equal."""
    old = dict(measured(before))
    return next((name for name, value in measured(after) if name not in old or old[name] != value), None)
