"""Saving the model of a run, and loading it for inference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mtl_core.artifacts.network_files import open_network_run
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment
from mtl_core.config.task_resolution import resolve_tasks, select_active_entries
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.data.encoder import Encoder
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.plugins.registry import Registry
from mtl_core.plugins.specs import LoaderSpec
from mtl_core.runs.build_network import build_network
from mtl_core.seeding import isolate_torch_rng


@dataclass(frozen=True)
class SavedRun:
    """A trained network, and what inference with it needs."""

    config: ExperimentConfig
    encoder: Encoder[Any, Any]
    groups: Sequence[TaskGroup]
    network: MultiTaskNetwork

    @property
    def predicted_groups(self) -> list[bool]:
        """Whether each head group makes predictions: main tasks, and auxiliary tasks with `save_head: true`."""
        return [group.is_predicted for group in self.groups]

    @property
    def main_tasks(self) -> list[FittedTask]:
        """The main tasks."""
        return [task for group in self.groups for task in group.tasks if task.auxiliary_spec is None]

    @property
    def label_columns(self) -> list[str]:
        """The label columns of the main tasks."""
        return list_label_columns(self.main_tasks)

    def get_tasks(self, data_set: str | None = None) -> list[FittedTask]:
        """Return the main tasks that train on a data set; on the first one by default."""
        name = data_set or next(iter(self.config.loaders))
        return [task for task in self.main_tasks if not task.config.data or name in task.config.data]

    @property
    def derives_tasks(self) -> bool:
        """Whether the experiment derives one task from each label column, so that new columns are errors."""
        return self.config.active_tasks is None and any(isinstance(entry, TaskPattern) for entry in self.config.tasks)

    def get_loader(self, data_set: str | None = None) -> LoaderSpec:
        """Return the loader of a data set, which also reads new inputs.

        Args:
            data_set: Name of the data set; the first one by default.

        Raises:
            MtlError: If there is no such data set.
        """
        sources = self.config.loaders
        name = data_set or next(iter(sources))
        if self.config.data is not None and data_set is not None:
            raise MtlError("this run has one data set, which has no name; leave --data-set out")
        if name not in sources:
            raise MtlError(f"unknown data set '{name}'{did_you_mean(name, sources)} (data sets: {join_names(sources)})")
        return sources[name]


def list_label_columns(tasks: Sequence[FittedTask]) -> list[str]:
    """Return the distinct label columns of tasks; tasks that derive labels from the inputs have none."""
    return [name for name in dict.fromkeys(task.config.column for task in tasks) if name]


def save_model(
    run: RunDirectory,
    config: ExperimentConfig,
    network: MultiTaskNetwork,
    encoder: Encoder[Any, Any],
    groups: Sequence[TaskGroup],
) -> None:
    """Save weights, label spaces and the fitted encoder.

    Auxiliary heads are saved only with `save_head: true`, or if the architecture has task-specific features, since
    an auxiliary task may then feed other tasks.

    Raises:
        MtlError: If the disk is full.
    """
    is_saved = [group.is_predicted or config.architecture.task_specific_features for group in groups]
    save_state(
        run, encoder, [task for group, keep in zip(groups, is_saved, strict=True) if keep for task in group.tasks]
    )
    tensors = {}
    for key, value in network.state_dict().items():
        if key.startswith("groups."):
            index, suffix = key.removeprefix("groups.").split(".", 1)
            if not is_saved[int(index)]:
                continue
            key = f"groups.{sum(is_saved[: int(index)])}.{suffix}"
        tensors[key] = value.detach().contiguous().clone()
    write_atomically(run.weights, lambda path: save_file(tensors, path))


def save_state(run: RunDirectory, encoder: Encoder[Any, Any], tasks: Sequence[FittedTask]) -> None:
    """Save the label spaces of tasks and the fitted encoder."""
    run.write_state({"tasks": [_build_task_state(task) for task in tasks], "encoder": encoder.state()})


def _build_task_state(task: FittedTask) -> dict[str, Any]:
    state: dict[str, Any] = {
        "name": task.name,
        "column": task.config.column,
        "data": list(task.config.data),
        "space": task.space.state(),
        "counts": dict(task.class_counts),
    }
    if task.extension:
        state["extension"] = task.extension
    if task.kind.calibration:
        state["calibration"] = dict(task.kind.calibration)
    if task.auxiliary_spec is not None:  # what its block derives from the data cannot be derived without the data
        state["auxiliary"] = task.auxiliary_spec.task_name
        state["kind"] = task.config.kind.model_dump(mode="json")
        state["head"] = task.config.head.model_dump(mode="json")
    return state


def load_run(path: Path | str, plugins: Sequence[str] = (), parts: Sequence[object] = ()) -> SavedRun:
    """Load a saved run: rebuild the network from config, state and weights.

    Args:
        path: The run directory.
        plugins: Additional plugins to load.
        parts: Spec classes and modules of the run that no plugin registers.

    Raises:
        MtlError: If a file is missing or damaged, or the files do not match each other.
    """
    run = open_network_run(Path(path))
    run.require_file(run.weights)
    experiment = run.load_experiment(plugins, parts)
    config = experiment.config
    encoder = config.encoder.build()
    state = run.read_state()
    tasks = restore_tasks(state, run, experiment)
    try:
        encoder.restore(state["encoder"])
    except (KeyError, TypeError, ValueError) as error:
        raise MtlError(f"{run.state}: damaged: {type(error).__name__}: {error}") from error
    groups = group_tasks(tasks, config.architecture.task_specific_features)
    with isolate_torch_rng():
        network = build_network(config, encoder, groups)
    try:
        network.load_state_dict(load_file(run.weights))
    except (SafetensorError, OSError) as error:
        raise MtlError(f"{run.weights}: damaged: {error}") from error
    except RuntimeError as error:
        first_line = str(error).splitlines()[1:2] or [str(error)]
        raise MtlError(f"{run.weights}: these weights do not fit the run's config: {first_line[0].strip()}") from error
    network.eval()
    return SavedRun(config, encoder, groups, network)


def restore_tasks(state: Mapping[str, Any], run: RunDirectory, experiment: Experiment) -> list[FittedTask]:
    """Restore the tasks of a saved run without its network: label spaces, metrics, baselines.

    Args:
        state: The content of `state.json`.
        run: The run directory, for messages.
        experiment: The experiment of the run; seed and split may differ.

    Raises:
        MtlError: If the state is damaged, or belongs to another experiment.
    """
    try:
        return _build_tasks(experiment.config, state["tasks"], experiment.registry)
    except (KeyError, TypeError, ValueError) as error:
        raise MtlError(f"{run.state}: damaged: {type(error).__name__}: {error}") from error


def _build_tasks(
    config: ExperimentConfig, task_states: Sequence[dict[str, Any]], registry: Registry
) -> list[FittedTask]:
    entries = config.tasks if config.active_tasks is None else select_active_entries(config.tasks, config.active_tasks)
    declared = {task.name: task for task in resolve_tasks(entries, _list_saved_columns(config, task_states))}
    auxiliary = {spec.task_name: spec for spec in config.auxiliary}
    tasks = []
    for task in task_states:
        spec = auxiliary.get(task.get("auxiliary", ""))
        if spec is not None:
            block = {"name": task["name"], "kind": task["kind"], "head": task["head"], "label": task["column"]}
            named_task = NamedTask.model_validate(block, context={"registry": registry})
        elif task["name"] in declared:
            named_task = declared[task["name"]]
        else:
            raise MtlError(f"the run's state has a task '{task['name']}' that its config does not declare")
        space = named_task.kind.restore_space(task["space"])
        kind = named_task.kind.build(space, task["counts"])
        kind.calibration = dict(task.get("calibration", {}))
        tasks.append(FittedTask(named_task, space, task["counts"], kind, spec, int(task.get("extension", 0))))
    return tasks


def _list_saved_columns(config: ExperimentConfig, task_states: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Return data set name to the label columns that the tasks of the run train on."""
    main_states = [task for task in task_states if "auxiliary" not in task and task["column"]]
    return {
        name: list(dict.fromkeys(task["column"] for task in main_states if not task["data"] or name in task["data"]))
        for name in config.loaders
    }
