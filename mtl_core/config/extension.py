"""The block `extends`: the finished run that an experiment extends by tasks."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from pydantic_core import InitErrorDetails

from mtl_core.config.paths import InputPath
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.spec_fields import SplitterField
from mtl_core.plugins.strict_model import StrictModel, build_error_details

ExtensionMode = Literal["frozen", "joint"]


class KnownSplit(StrictModel):
    """How the data of a run was split, so that its examples keep their split when the run is extended."""

    tasks: list[str] = Field(min_length=1)
    """The tasks by whose labels the data was split."""
    data_sets: list[str] = Field(min_length=1)
    """The data sets that were split."""
    split: SplitterField
    """The splitter."""
    seed: int
    """The seed of the run."""


class Extension(StrictModel):
    """The finished run that this one extends by tasks; `mtl extend` writes this block.

    The encoder and the label spaces are those of the run, and its examples keep their split.
    """

    run: InputPath
    """The run directory of the extended run."""
    tasks: list[str] = Field(min_length=1)
    """The names of the added tasks; the others are the tasks of the run."""
    mode: ExtensionMode = "frozen"
    """`frozen` trains only the heads of the added tasks; `joint` trains the whole network, from the weights of the
    run."""
    splits: list[KnownSplit] = []
    """How the data of the run was split, and that of the runs that it extends, the first one first."""


def list_extension_errors(
    extension: Extension, entries: Sequence[NamedTask | TaskPattern], has_excluded_key: bool
) -> list[InitErrorDetails]:
    """List the errors of a block `extends` in an experiment.

    Args:
        extension: The block.
        entries: The `tasks:` of the experiment.
        has_excluded_key: Whether the experiment sets a key that contradicts the block.
    """
    names = [entry.name for entry in entries if isinstance(entry, NamedTask)]
    task_lists: dict[tuple[int | str, ...], list[str]] = {("tasks",): extension.tasks}
    task_lists |= {("splits", index, "tasks"): split.tasks for index, split in enumerate(extension.splits)}
    errors = []
    for loc, task_list in task_lists.items():
        for index, name in enumerate(task_list):
            if name not in names:
                message = f"unknown task '{name}'{did_you_mean(name, names)} (tasks: {join_names(names)})"
                errors.append(build_error_details(("extends", *loc, index), "custom", message, name))
    if len(names) < len(entries):
        message = "an extended run declares each task by its `name:`, not by a pattern (`each:`)"
        errors.append(build_error_details(("extends",), "custom", message, None))
    if has_excluded_key:
        message = "`active_tasks`, `init_from` and `training.refit` are not available with `extends`"
        errors.append(build_error_details(("extends",), "custom", message, None))
    return errors
