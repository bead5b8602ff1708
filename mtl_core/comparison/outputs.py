"""Read the outputs of finished runs from their directories."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.comparison.trials import check_scored
from mtl_core.config.load import Experiment
from mtl_core.data.label_space import MultiLabelSpace
from mtl_core.errors import MtlError
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.outputs import TaskOutputs, read_outputs
from mtl_core.runs.saved import tasks_of
from mtl_core.training.groups import LearnedTask


@dataclass(frozen=True)
class Said:
    """The outputs of a run for one task.

    Attributes:
        task: The task, with the label space of that run.
        outputs: Outputs and targets.
        ids: `(labels,)`: the id of the example that each label belongs to.
    """

    task: LearnedTask
    outputs: TaskOutputs
    ids: NDArray[np.str_]

    def gold(self) -> NDArray[Any]:
        """Return the gold labels, `(labels, ...)`, in a form that does not depend on the run's label space."""
        space = self.task.space
        _, targets = self.task.kind.for_metrics(self.outputs.outputs, self.outputs.targets)
        if isinstance(space, MultiLabelSpace):
            order = np.argsort(np.array(space.classes))
            return targets.numpy()[:, order]
        return np.array(space.classes)[targets.numpy()] if space.classes else targets.numpy()

    def of_baseline(self) -> "Said | None":
        """Return the baseline's outputs for the same labels; None if the task has no baseline."""
        kind = self.task.kind
        if kind.baseline is None:
            return None
        outputs = kind.baseline_outputs(len(self.outputs.targets)).float()
        return Said(self.task, TaskOutputs(outputs, self.outputs.targets, self.outputs.examples), self.ids)


@dataclass(frozen=True)
class RunOutputs:
    """The outputs and costs of a finished run.

    Attributes:
        path: Its directory.
        part: The split that it was scored on.
        seed: Its seed.
        ids: `(examples,)`: the ids of the examples of that split.
        tasks: Name of each main task to its outputs.
        parameters: Number of trained parameters.
        train_s: Training time in seconds.
        inference_ms: Inference time of the network per example, in milliseconds.
        notice: The disclaimer of its data, shown with every score; empty if there is none.
    """

    path: Path
    part: str
    seed: int
    ids: NDArray[np.str_]
    tasks: Mapping[str, Said]
    parameters: int
    train_s: float
    inference_ms: float
    notice: str


def read_run(path: Path, experiment: Experiment) -> RunOutputs:
    """Read the outputs of a finished run.

    Args:
        path: The run directory.
        experiment: The experiment of the run; seed and split may differ.

    Raises:
        MtlError: If the run is not finished, was made by a version that stored no outputs, or is damaged.
    """
    run = RunDirectory.open(path)
    metrics = _metrics(run)
    check_scored(path)
    part, said = read_outputs(run)
    ids = _ids(run)
    tasks = {task.name: task for task in tasks_of(run.read_state(), run, experiment) if task.auxiliary is None}
    if set(tasks) != set(said):
        raise MtlError(f"{run.outputs}: contains other tasks than {run.state.name}: the run is damaged")
    try:
        return RunOutputs(
            path,
            part,
            int(metrics["seed"]),
            ids,
            {name: Said(task, said[name], ids[said[name].examples.numpy()]) for name, task in tasks.items()},
            int(metrics["model"]["parameters"]),
            float(metrics["timing"]["train_s"]),
            float(metrics["timing"]["inference_ms"]),
            str(metrics["data"]["notice"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise MtlError(f"{run.metrics}: damaged: {type(error).__name__}: {error}") from error


def _metrics(run: RunDirectory) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(run.require(run.metrics).read_text(encoding="utf-8"))
    except ValueError as error:
        raise MtlError(f"{run.metrics}: damaged: {error}") from error
    return found


def _ids(run: RunDirectory) -> NDArray[np.str_]:
    try:
        with run.require(run.predictions).open(encoding="utf-8") as lines:
            return np.array([json.loads(line)["id"] for line in lines], dtype=np.str_)
    except (ValueError, KeyError) as error:
        raise MtlError(f"{run.predictions}: damaged: {type(error).__name__}: {error}") from error


def check_same_labels(first: Mapping[str, Said], second: Mapping[str, Said], names: tuple[str, str]) -> None:
    """Check that two runs were scored on the same examples and the same labels.

    Args:
        first: Task to the outputs of the first run.
        second: Task to the outputs of the second run, for the same tasks.
        names: The names of the two runs, for messages.

    Raises:
        MtlError: If examples or labels differ; the message contains the first difference.
    """
    here, there = names
    for name, one in first.items():
        other = second[name]
        if not np.array_equal(one.ids, other.ids):
            raise MtlError(
                f"{there}: task '{name}' was measured on other examples than in {here} ({_differing(one, other)}); "
                "only runs on the same test examples can be compared"
            )
        if not (wrong := _other_labels(one.gold(), other.gold())) == -1:
            raise MtlError(
                f"{there}: task '{name}' has another label for example '{one.ids[wrong]}' than in {here} "
                f"({_shown(other.gold()[wrong])}, not {_shown(one.gold()[wrong])}); only runs on the same labels "
                "can be compared"
            )


def _differing(one: Said, other: Said) -> str:
    missing = sorted(set(one.ids.tolist()) - set(other.ids.tolist()))
    further = sorted(set(other.ids.tolist()) - set(one.ids.tolist()))
    told = [
        f"{len(ids)} {word}, such as '{ids[0]}'" for ids, word in ((missing, "missing"), (further, "more")) if ids
    ]
    return "; ".join(told) or f"{len(other.ids)} labels, not {len(one.ids)}"


def _other_labels(one: NDArray[Any], other: NDArray[Any]) -> int:
    """Return the index of the first label that differs, -1 if none does; numbers may differ by rounding."""
    if one.dtype.kind == "f":
        same = np.isclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
    else:
        same = one == other
    rows = same.reshape(len(same), -1).all(axis=1)
    return -1 if rows.all() else int(np.argmin(rows))


def _shown(label: Any) -> str:
    return f"'{label}'" if isinstance(label, str) else str(label)
