"""`mtl validate`. It imports no torch, unless the data is validated too."""

from collections.abc import Sequence

import typer

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.config.tasks import NamedTask
from mtl_core.experiments.sweep.validate_space import validate_space


def validate_command(experiment: str, overrides: Sequence[str], plugins: Sequence[str]) -> None:
    """Validate an experiment, and print a description of it."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    if loaded.config.sweep is not None:
        validate_space(loaded)
    typer.echo(f"{loaded.source.path}: valid")
    typer.echo(describe_experiment(loaded.config))


def describe_experiment(config: ExperimentConfig) -> str:
    """Describe the parts of an experiment in one line."""
    tasks = ", ".join(
        task.name if isinstance(task, NamedTask) else f"every label column that matches '{task.each}'"
        for task in config.tasks
    )
    if config.active_tasks is not None:
        tasks += f"; active: {', '.join(config.active_tasks)}"
    if config.auxiliary:
        tasks += "; auxiliary tasks: " + ", ".join(spec.task_name for spec in config.auxiliary)
    architecture_note = (
        "" if config.architecture.type == "hard-sharing" else f", {config.architecture.type} architecture"
    )
    data = ", ".join(
        loader.type if len(config.loaders) == 1 else f"{name} ({loader.type})"
        for name, loader in config.loaders.items()
    )
    return (
        f"{config.name}: {data} data, {config.split.type} split, {config.encoder.type} encoder, "
        f"{config.backbone.type} backbone{architecture_note}; tasks: {tasks}"
    )
