"""Read the outputs of finished runs from their directories."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.load import Experiment
from mtl_core.data.class_space import MultiLabelSpace
from mtl_core.data.fitted_task import FittedTask
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.comparability import check_has_outputs
from mtl_core.runs.image_sums import ImageSums
from mtl_core.runs.saved_outputs import TaskOutputs, read_output_ids, read_outputs
from mtl_core.runs.saved_run import restore_tasks


@dataclass(frozen=True)
class LabelledOutputs:
    """The outputs of a run for one task.

    Attributes:
        task: The task, with the label space of that run.
        outputs: Outputs and targets.
        ids: `(labels,)`: the id of the example that each label belongs to.
    """

    task: FittedTask
    outputs: TaskOutputs
    ids: NDArray[np.str_]

    def get_gold_labels(self) -> NDArray[Any]:
        """Return the gold labels, `(labels, ...)`, in a form that does not depend on the run's label space."""
        space = self.task.space
        _, targets = self.task.kind.prepare_for_metrics(self.outputs.outputs, self.outputs.targets)
        if isinstance(space, MultiLabelSpace):
            order = np.argsort(np.array(space.classes))
            return targets.numpy()[:, order]
        return np.array(space.classes)[targets.numpy()] if space.classes else targets.numpy()

    def predict_baseline(self) -> "LabelledOutputs | None":
        """Return the baseline's outputs for the same labels; None if the task has no baseline."""
        kind = self.task.kind.without_calibration()
        if kind.baseline is None:
            return None
        outputs = kind.build_baseline_outputs(len(self.outputs.targets)).float()
        task_outputs = TaskOutputs(outputs, self.outputs.targets, self.outputs.examples)
        return LabelledOutputs(replace(self.task, kind=kind), task_outputs, self.ids)


@dataclass(frozen=True)
class LabelledImageSums:
    """The sums of a run for one task with labels per pixel.

    Attributes:
        task: The task, with the label space of that run.
        image_sums: The sums of each image.
        ids: `(images,)`: the id of the example of each image.
    """

    task: FittedTask
    image_sums: ImageSums
    ids: NDArray[np.str_]

    def get_gold_labels(self) -> NDArray[Any]:
        """Return numbers that are equal for equal labels, `(images, 3)`."""
        return self.image_sums.fingerprints.numpy()

    def predict_baseline(self) -> "LabelledImageSums | None":
        """Return the baseline's sums for the same labels; None if the task has no baseline."""
        if not self.image_sums.baseline_sums:
            return None
        image_sums = replace(self.image_sums, sums=self.image_sums.baseline_sums)
        return LabelledImageSums(self.task, image_sums, self.ids)


ScoredOutputs = LabelledOutputs | LabelledImageSums
"""What a comparison reads of a run for one task."""


@dataclass(frozen=True)
class RunOutputs:
    """The outputs and costs of a finished run.

    Attributes:
        path: Its directory.
        split_name: The split that it was scored on.
        seed: Its seed.
        ids: `(examples,)`: the ids of the examples of that split.
        tasks: Name of each main task to its outputs.
        parameters: Number of trained parameters.
        train_s: Training time in seconds.
        inference_ms: Inference time of the network per example, in milliseconds.
        disclaimer: The disclaimer of its data, shown with every score; empty if there is none.
    """

    path: Path
    split_name: str
    seed: int
    ids: NDArray[np.str_]
    tasks: Mapping[str, ScoredOutputs]
    parameters: int
    train_s: float
    inference_ms: float
    disclaimer: str


def read_run(path: Path, experiment: Experiment) -> RunOutputs:
    """Read the outputs of a finished run.

    Args:
        path: The run directory.
        experiment: The experiment of the run; seed and split may differ.

    Raises:
        MtlError: If the run is not finished, was made by a version that stored no outputs, or is damaged.
    """
    run = RunDirectory.open(path)
    metrics = read_json(run.require_file(run.metrics))
    check_has_outputs(path)
    split_name, outputs = read_outputs(run)
    ids = np.array(read_output_ids(run), dtype=np.str_)
    tasks = {
        task.name: task for task in restore_tasks(run.read_state(), run, experiment) if task.auxiliary_spec is None
    }
    if split_name == "validation":  # calibration is fitted to these labels
        tasks = {name: replace(task, kind=task.kind.without_calibration()) for name, task in tasks.items()}
    if set(tasks) != set(outputs):
        raise MtlError(f"{run.outputs}: contains other tasks than {run.state.name}: the run is damaged")
    try:
        return RunOutputs(
            path,
            split_name,
            int(metrics["seed"]),
            ids,
            {name: _label_outputs(task, outputs[name], ids) for name, task in tasks.items()},
            int(metrics["model"]["parameters"]),
            float(metrics["timing"]["train_s"]),
            float(metrics["timing"]["inference_ms"]),
            str(metrics["data"]["disclaimer"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise MtlError(f"{run.metrics}: damaged: {type(error).__name__}: {error}") from error


def _label_outputs(task: FittedTask, outputs: TaskOutputs | ImageSums, ids: NDArray[np.str_]) -> ScoredOutputs:
    label_ids = ids[outputs.examples.numpy()]
    if isinstance(outputs, ImageSums):
        return LabelledImageSums(task, outputs, label_ids)
    return LabelledOutputs(task, outputs, label_ids)
