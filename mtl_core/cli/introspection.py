"""`mtl validate`, `mtl schema`, `mtl plugins`: commands that do not import torch."""

import json
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig, NamedTask
from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.experiments.sweep.validate_space import validate_space
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry


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


def schema_command(plugins: Sequence[str], output: Path | None) -> None:
    """Print or write the JSON Schema."""
    text = json.dumps(build_experiment_schema(Registry(load_plugins(plugins))), indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text_atomically(output, text)
        typer.echo(f"{output}: written; refer to it in a YAML file with `# yaml-language-server: $schema={output}`")


def plugins_command(plugins: Sequence[str]) -> None:
    """List the installed plugins and their contributions, and broken plugins."""
    registry = Registry(load_plugins(plugins))
    console = Console()
    table = Table(show_edge=False, pad_edge=False)
    for column in ("hook", "type", "description", "plugin"):
        table.add_column(column, no_wrap=column in {"hook", "type"})
    for extension_point in EXTENSION_POINTS.values():
        for name, specs in sorted(registry.get_specs(extension_point.name).items()):
            for registered_spec in specs:
                note = " [red](clash)[/red]" if len(specs) > 1 else ""
                summary = (registered_spec.spec.__doc__ or "").strip().partition("\n")[0]
                table.add_row(
                    extension_point.hook, escape(name) + note, escape(summary), escape(registered_spec.plugin)
                )
    for name, path in registry.collect_experiments().items():
        table.add_row("mtl_experiments", name, _read_first_comment(path), "")
    for name, commands in registry.collect_commands().items():
        table.add_row("mtl_commands", name, escape(commands.help), "")
    for name, service in registry.collect_services().items():
        table.add_row("mtl_services", name, escape(service.help), "")
    console.print(table)
    console.print("\nplugins:")
    for plugin in registry.plugins.loaded:
        console.print(f"  {plugin.name}: {plugin.origin}", markup=False, soft_wrap=True)
    for broken_plugin in registry.broken:
        console.print(
            f"  {broken_plugin.name}: NOT USABLE: {broken_plugin.reason} ({broken_plugin.origin})",
            markup=False,
            soft_wrap=True,
        )


def _read_first_comment(path: Path) -> str:
    line = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return escape(line.removeprefix("#").strip()) if line.startswith("#") else ""
