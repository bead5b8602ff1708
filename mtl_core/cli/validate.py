"""`mtl validate`. It imports no torch, unless the data is validated too."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.config.tasks import NamedTask
from mtl_core.errors import join_names
from mtl_core.experiments.sweep.validate_space import validate_space
from mtl_core.progress.bars import print_plain

if TYPE_CHECKING:
    from mtl_core.artifacts.metrics import DataReport
    from mtl_core.runs.dry_run import DryRun


MAX_NAMES = 5
"""Maximum number of names that are printed of many tasks."""
MAX_LABELS = 6
"""Maximum number of labels whose counts are printed."""


def validate_command(experiment: str, overrides: Sequence[str], plugins: Sequence[str], with_data: bool) -> None:
    """Validate an experiment, with its data if requested, and print a description of it."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    if loaded.config.sweep is not None:
        validate_space(loaded)
    if with_data:
        from mtl_core.runs.dry_run import dry_run

        result = dry_run(loaded.config)
    typer.echo(f"{loaded.source.path}: valid")
    typer.echo(describe_experiment(loaded.config))
    if with_data:
        _print_data(Console(), result)
    else:
        typer.echo("the data was not checked; `--data` loads it and passes one batch through the network")


def _print_data(console: Console, result: "DryRun") -> None:
    from mtl_core.runs.result_files import build_data_report

    report, data = build_data_report(result.data), result.data
    for warning in report.warnings:
        print_plain(console, f"note: {warning}")
    print_plain(console, ", ".join(f"{count} {name} examples" for name, count in report.examples.items()))
    print_plain(console, f"label columns: {join_names(data.corpus.labels, _get_name_limit(data.corpus.labels))}")
    if has_many_tasks(len(data.tasks)):
        _print_task_summary(console, result, report)
    for task in () if has_many_tasks(len(data.tasks)) else data.tasks:
        column = f"column '{task.config.column}'" if task.config.column else "from the inputs"
        shape = " x ".join(map(str, result.output_shapes[task.name]))
        print_plain(console, f"task {task.name}: {column}, {task.config.kind.type}, outputs {shape}")
        for split_name, counts in report.label_counts.items():
            if task.name in counts:
                print_plain(console, f"  {split_name}: {_format_counts(counts[task.name])}")
    per_token = " per token" if result.features.sequence else ""
    print_plain(
        console,
        f"one batch of {result.batch_size} examples passed the network: {result.features.width} features"
        f"{per_token}, {result.n_parameters:,} parameters",
    )


def _print_task_summary(console: Console, result: "DryRun", report: "DataReport") -> None:
    """Print one line per kind of many tasks, and the range of their numbers of labels per split."""
    names: dict[tuple[str, str], list[str]] = {}
    for task in result.data.tasks:
        shape = " x ".join(map(str, result.output_shapes[task.name]))
        names.setdefault((task.config.kind.type, shape), []).append(task.name)
    for (kind, shape), tasks in names.items():
        print_plain(console, f"{len(tasks):,} tasks: {kind}, outputs {shape} ({join_names(tasks, MAX_NAMES)})")
    for split_name, counts in report.label_counts.items():
        totals = [sum(labels.values()) for labels in counts.values()]
        if totals:
            text = f"{sum(totals):,} labels, {min(totals):,} to {max(totals):,} per task"
            empty = [task for task, labels in counts.items() if not sum(labels.values())]
            without = f"; {len(empty):,} tasks without labels ({join_names(empty, MAX_NAMES)})" if empty else ""
            print_plain(console, f"  {split_name}: {text}{without}")


def _get_name_limit(names: Collection[str]) -> int:
    """Return how many of some names are printed: all of few, some of many."""
    return MAX_NAMES if has_many_tasks(len(names)) else len(names)


def _format_counts(counts: Mapping[str, int]) -> str:
    labels = sorted(counts, key=lambda label: -counts[label])
    texts = [f"{label} {counts[label]}" for label in labels[:MAX_LABELS]]
    return ", ".join(texts) + (f" and {len(labels) - MAX_LABELS} more" if len(labels) > MAX_LABELS else "")


def describe_experiment(config: ExperimentConfig) -> str:
    """Describe the parts of an experiment in one line."""
    entries = [
        task.name if isinstance(task, NamedTask) else f"every label column that matches '{task.each}'"
        for task in config.tasks
    ]
    tasks = join_names(entries, _get_name_limit(entries))
    if config.active_tasks is not None:
        tasks += f"; active: {join_names(config.active_tasks, _get_name_limit(config.active_tasks))}"
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
