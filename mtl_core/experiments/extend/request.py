"""What to extend a run by: the blocks of the added tasks, from options or from a YAML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.config.extension import ExtensionMode
from mtl_core.config.yaml_file import read_yaml
from mtl_core.errors import MtlError, find_duplicates


@dataclass(frozen=True)
class ExtensionRequest:
    """What to extend a run by, and how.

    Attributes:
        run: The directory of the finished run.
        tasks: The blocks of the added tasks, as in `tasks:` of an experiment; `kind` and `head` may be missing.
        file: A file with the labels of the added tasks; None if the data of the run has their columns.
        data_set: The data set whose format the file has, or whose data has the columns; None for the only one.
        mode: Whether the network of the run is frozen.
        overrides: `key=value` strings, as in `--set`.
        plugins: Additional plugins.
        parts: Spec classes and modules of the run that no plugin registers.
        loader: The block of a loader of the labels of the added tasks, instead of a file; None for none.
    """

    run: Path
    tasks: Sequence[dict[str, Any]]
    file: Path | None = None
    data_set: str | None = None
    mode: ExtensionMode = "frozen"
    overrides: Sequence[str] = ()
    plugins: Sequence[str] = ()
    parts: Sequence[object] = ()
    loader: dict[str, Any] | None = None

    @property
    def has_new_data(self) -> bool:
        """Whether the labels of the added tasks are not in the data of the run."""
        return self.file is not None or self.loader is not None

    @property
    def names(self) -> list[str]:
        """The names of the added tasks."""
        return [str(block["name"]) for block in self.tasks]


def build_task_blocks(
    names: Sequence[str], kind: str | None, head: str | None, label: str | None
) -> list[dict[str, Any]]:
    """Build the blocks of tasks that differ in their names only.

    Args:
        names: The names.
        kind: The type of their kind; None for the default.
        head: The type of their head, or its name in `heads:`; None for the default.
        label: The label column, of a single task; None for the name of the task.

    Raises:
        MtlError: If there is no name, or one label column for several tasks.
    """
    if not names:
        raise MtlError("--task NAME: name at least one task to add, or give --tasks FILE.yaml")
    if label is not None and len(names) > 1:
        raise MtlError("--label: the label column of one task; with several tasks, use --tasks FILE.yaml")
    settings = {"kind": kind, "head": head, "label": label}
    given = {key: value for key, value in settings.items() if value is not None}
    return [{"name": name, **given} for name in names]


def read_task_blocks(path: Path) -> list[dict[str, Any]]:
    """Read the blocks of tasks from a YAML file: a mapping with the key `tasks`, as in an experiment.

    Raises:
        MtlError: If the file is missing or malformed.
    """
    if not path.is_file():
        raise MtlError(f"--tasks {path}: no such file")
    value = read_yaml(path).value
    tasks = value.get("tasks")
    unknown = next((key for key in value if key != "tasks"), None)
    if unknown is not None:
        raise MtlError(f"{path}: expected only the key `tasks`, found '{unknown}'")
    if not isinstance(tasks, list) or not tasks or not all(isinstance(task, dict) and "name" in task for task in tasks):
        raise MtlError(f"{path}: tasks: expected a list of tasks with a `name`, such as `- {{name: urgency}}`")
    return tasks


def check_names(names: Sequence[str], known: Sequence[str], run: Path) -> None:
    """Check that the names of added tasks are new.

    Raises:
        MtlError: If a name occurs twice, or is that of a task of the run.
    """
    if duplicates := find_duplicates(names):
        raise MtlError(f"--task {duplicates[0]}: given twice")
    taken = next((name for name in names if name in known), None)
    if taken is not None:
        raise MtlError(
            f"--task {taken}: {run} already has a task '{taken}'; name the added task differently, with "
            f"`--label {taken}` if it has the same label column"
        )
