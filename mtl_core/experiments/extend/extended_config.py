"""The experiment of an extended run: that of the run, with the added tasks and their data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mtl_core.artifacts.network_files import open_network_run
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.extension import Extension, KnownSplit
from mtl_core.config.load import Experiment, build_config, check_inputs
from mtl_core.config.overrides import apply_overrides
from mtl_core.config.task_resolution import resolve_tasks
from mtl_core.config.tasks import NamedTask
from mtl_core.config.validation_messages import list_errors
from mtl_core.config.yaml_file import Loc, YamlFile
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.sources import load_sources
from mtl_core.data.task_labels import find_label_columns
from mtl_core.errors import MtlError, join_names
from mtl_core.experiments.extend.data_blocks import build_data_blocks
from mtl_core.experiments.extend.known_data import KnownData, check_known_data
from mtl_core.experiments.extend.request import ExtensionRequest, check_names
from mtl_core.plugins.registry import Registry
from mtl_core.runs.saved_run import restore_tasks

DEFAULT_HEADS = {"example": "linear", "token": "token-linear", "pixel": "dense-conv"}
"""Level of a task kind to the type of its head, if no task of the run has a head of this level."""


@dataclass(frozen=True)
class ExtendedExperiment:
    """The experiment of an extended run.

    Attributes:
        experiment: The experiment.
        extension: Its block `extends`.
        notes: What the user should know about the data.
    """

    experiment: Experiment
    extension: Extension
    notes: Sequence[str]


def build_extended_experiment(request: ExtensionRequest) -> ExtendedExperiment:
    """Build the experiment of an extended run.

    Raises:
        MtlError: If the run is not finished, a task exists already, the data cannot be used, or a setting is invalid.
    """
    run = open_network_run(request.run)
    run.require_file(run.metrics)
    parent = run.load_experiment(request.plugins, request.parts)
    tasks = restore_tasks(run.read_state(), run, parent)
    check_names(request.names, [task.name for task in tasks], request.run)
    known_data = check_known_data(run, parent.config)
    uses_known_data = _check_data_use(request, known_data)
    value = _build_value(request, parent, tasks, uses_known_data)
    value, locations = apply_overrides(value, request.overrides)
    config = _validate(value, parent.registry, locations)
    source = YamlFile(run.config, value, {})
    experiment = Experiment(config, parent.registry, source, locations, value, is_file=False)
    check_inputs(experiment)
    _check_known_tasks(config, tasks)
    assert config.extends is not None  # noqa: S101  it is part of the value
    return ExtendedExperiment(experiment, config.extends, _describe_data(request, known_data, uses_known_data, parent))


def _check_data_use(request: ExtensionRequest, known_data: KnownData) -> bool:
    """Return whether the data of the run is used.

    Raises:
        MtlError: If it is needed, and is missing or has changed.
    """
    if request.mode == "joint" and known_data.difference:
        alternative = "" if request.has_new_data else ", give the new labels in another file (--data FILE)"
        raise MtlError(
            f"{request.run}: {known_data.difference}. Joint training needs the data of the run as it was: its labels, "
            "to train on, and its validation examples, to measure whether its tasks get worse. Restore the data"
            f"{alternative}, or use --mode frozen"
        )
    if not known_data.is_available and not request.has_new_data:
        raise MtlError(
            f"{request.run}: {known_data.difference}. Give a file with the labels of the added tasks: --data FILE"
        )
    return not request.has_new_data or not known_data.difference


def _describe_data(
    request: ExtensionRequest, known_data: KnownData, uses_known_data: bool, parent: Experiment
) -> list[str]:
    notes = []
    if not uses_known_data:
        notes.append(f"{known_data.difference}: the tasks of {request.run} are not scored again")
    elif known_data.difference:
        notes.append(
            f"{known_data.difference}: validation examples of the added tasks may be examples on which {request.run} "
            "was trained, and their scores too good"
        )
    if uses_known_data and parent.config.training.refit:
        notes.append(
            f"{request.run} was trained again on its validation data (`training.refit`), so the validation scores of "
            "its tasks are too good; the heads of the added tasks read features that were trained on these inputs"
        )
    return notes


def _build_value(
    request: ExtensionRequest, parent: Experiment, tasks: Sequence[FittedTask], uses_known_data: bool
) -> dict[str, Any]:
    """Build the experiment before validation."""
    config = parent.config
    value = config.model_dump(mode="json", exclude={"sweep", "extends"})
    saved_auxiliary = {task.auxiliary_spec.task_name for task in tasks if task.auxiliary_spec is not None}
    if saved_auxiliary and request.mode == "joint":
        raise MtlError(
            f"{request.run}: has heads of auxiliary tasks ({join_names(sorted(saved_auxiliary))}), which joint "
            "training does not train; use --mode frozen"
        )
    known_tasks = _order_tasks(config, tasks, uses_known_data)
    blocks = [_complete_task(block, known_tasks, parent.registry) for block in request.tasks]
    known_blocks = [task.model_dump(mode="json") for task in known_tasks]
    columns = [str(block.get("label") or block["name"]) for block in blocks]
    value |= {
        "name": config.name if config.extends is not None else f"{config.name}-extended",
        "tasks": [*known_blocks, *blocks],
        "auxiliary": [spec.model_dump(mode="json") for spec in config.auxiliary if spec.task_name in saved_auxiliary],
        "active_tasks": config.active_tasks,
        "init_from": None,
        "interactions": None,
        **build_data_blocks(request, config, columns, uses_known_data, known_blocks, blocks),
    }
    value["training"] |= {"refit": False, "select": {}}
    if request.mode == "frozen":  # one loss, and no trained weight outside the new heads
        value["weighting"] = {"type": "sum"}
        value["training"]["lr_multipliers"] = {}
    value["extends"] = {
        "run": str(request.run.resolve()),
        "tasks": request.names,
        "mode": request.mode,
        "splits": [split.model_dump(mode="json") for split in _list_splits(config, known_tasks)]
        if uses_known_data
        else [],
    }
    return value


def _order_tasks(config: ExperimentConfig, tasks: Sequence[FittedTask], uses_known_data: bool) -> list[NamedTask]:
    """Return the main tasks of the run in the order of its experiment, which the split of its data depends on."""
    main_tasks = {task.name: task.config for task in tasks if task.auxiliary_spec is None}
    names = [entry.name for entry in config.tasks if isinstance(entry, NamedTask)]
    if len(names) < len(config.tasks) and uses_known_data:  # one task per column that matches a pattern
        columns = find_label_columns(load_sources(config.loaders), list(config.loaders))
        names = [task.name for task in resolve_tasks(config.tasks, columns)]
    ordered = [name for name in names if name in main_tasks]
    return [main_tasks[name] for name in [*ordered, *(name for name in main_tasks if name not in ordered)]]


def _list_splits(config: ExperimentConfig, known_tasks: Sequence[NamedTask]) -> list[KnownSplit]:
    """Return how the data of the run was split."""
    before = config.extends.splits if config.extends is not None else []
    names = config.extends.tasks if config.extends is not None else [task.name for task in known_tasks]
    split = KnownSplit(tasks=names, data_sets=list(config.loaders), split=config.split, seed=config.seed)
    return [*before, split]


def _complete_task(block: dict[str, Any], known_tasks: Sequence[NamedTask], registry: Registry) -> dict[str, Any]:
    """Add the default head: that of the first task of the run with labels of the same level."""
    if "head" in block:
        return dict(block)
    kind = block.get("kind", "classification")
    kind_type = str(kind.get("type", "")) if isinstance(kind, dict) else str(kind)
    level = str(getattr(registry.find("task_kinds", kind_type), "level", "example"))
    head = next((task.head.model_dump(mode="json") for task in known_tasks if task.head.level == level), None)
    return {**block, "head": head if head is not None else DEFAULT_HEADS[level]}


def _validate(value: dict[str, Any], registry: Registry, locations: Sequence[Loc]) -> ExperimentConfig:
    try:
        return build_config(value, registry, YamlFile(Path("extended.yaml"), value, {}), locations)
    except ValidationError as error:
        lines = [_format_error(line.key, line.message, value) for line in list_errors(error, "--tasks FILE")]
        raise MtlError("\n".join(lines)) from error


def _format_error(key: str, message: str, value: dict[str, Any]) -> str:
    """Format an error; a task is called by its name, since the user does not see its index."""
    steps = key.split(".")
    if steps[0] == "tasks" and len(steps) > 1 and steps[1].isdecimal():
        name = value["tasks"][int(steps[1])].get("name")
        return f"task '{name}': {'.'.join([*steps[2:]]) + ': ' if steps[2:] else ''}{message}"
    return f"{key}: {message}"


def _check_known_tasks(config: ExperimentConfig, tasks: Sequence[FittedTask]) -> None:
    """Check that no setting changes a task of the run.

    Raises:
        MtlError: If one does.
    """
    declared = {task.name: task for task in config.tasks if isinstance(task, NamedTask)}
    for task in tasks:
        if task.auxiliary_spec is not None:
            continue
        before = task.config.model_dump(mode="json", exclude={"data", "weight"})
        after = declared.get(task.name)
        if after is None or after.model_dump(mode="json", exclude={"data", "weight"}) != before:
            raise MtlError(f"--set: changes the task '{task.name}' of the run, whose head is trained already")
