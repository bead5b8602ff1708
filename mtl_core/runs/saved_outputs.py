"""Raw outputs and targets for every label of a split, as in `outputs.safetensors`; the input of all metrics.

For tasks with labels per pixel, the sums of each image instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_atomically
from mtl_core.data.batches import RowIndices
from mtl_core.data.corpus import SplitName
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import BatchOutputs, select_labelled_outputs
from mtl_core.runs.image_sums import ImageSumCollector, ImageSums, is_collected, list_keys, parse_image_sums


@dataclass(frozen=True)
class TaskOutputs:
    """Raw outputs and targets for each label (per example or token) of one task, in the order of the examples.

    Attributes:
        outputs: `(labels, outputs)`, float32: the raw outputs of the head.
        targets: `(labels, ...)`: the targets as the label space encodes them.
        examples: `(labels,)`, int64: the line of `predictions.jsonl` that each label belongs to, counted from 0.
    """

    outputs: torch.Tensor
    targets: torch.Tensor
    examples: torch.Tensor


class OutputCollector:
    """Collects the outputs of main tasks for all unmasked labels per batch: exactly the input of their metrics.

    Args:
        groups: The head groups.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        tasks = [task for group in groups if not group.is_auxiliary for task in group.tasks]
        self._outputs: dict[str, list[TaskOutputs]] = {task.name: [] for task in tasks if not is_collected(task)}
        self._sums = {task.name: ImageSumCollector(task) for task in tasks if is_collected(task)}

    def update(self, batch_outputs: BatchOutputs) -> None:
        """Add the outputs of a batch."""
        for task, outputs, targets, rows in select_labelled_outputs(self._groups, batch_outputs):
            if task.name in self._outputs:
                self._outputs[task.name].append(TaskOutputs(outputs, targets, torch.from_numpy(rows)))
            elif task.name in self._sums:
                self._sums[task.name].update(outputs, targets, rows)

    def write(self, run: RunDirectory, split_name: SplitName, rows: RowIndices) -> None:
        """Write `outputs.safetensors`.

        Args:
            run: The run directory.
            split_name: Name of the evaluated split.
            rows: `(examples,)`, int64: row indices of the split, in the order of `predictions.jsonl`.
        """
        tensors: dict[str, torch.Tensor] = {}
        for name, batches in self._outputs.items():
            for key, table in _concatenate(batches, rows).items():
                tensors[f"{name}/{key}"] = table
        for name, collector in self._sums.items():
            for key, table in collector.build_tensors(rows).items():
                tensors[f"{name}/{key}"] = table
        write_atomically(run.outputs, lambda path: save_file(tensors, path, metadata={"part": split_name}))


def _concatenate(batches: Sequence[TaskOutputs], rows: RowIndices) -> dict[str, torch.Tensor]:
    """Concatenate the batches of a task in the order of the examples; an empty dict for a task without labels."""
    if not batches:
        return {}
    corpus_rows = torch.cat([batch.examples for batch in batches]).numpy()
    order = torch.from_numpy(np.argsort(corpus_rows, kind="stable"))
    return {
        "outputs": torch.cat([batch.outputs for batch in batches])[order].contiguous(),
        "targets": torch.cat([batch.targets for batch in batches])[order].contiguous(),
        "examples": torch.from_numpy(_find_indices(corpus_rows, rows))[order].contiguous(),
    }


def _find_indices(corpus_rows: NDArray[np.int64], rows: RowIndices) -> NDArray[np.int64]:
    """Return the index of each row within the split, whose rows are sorted."""
    indices: NDArray[np.int64] = np.searchsorted(rows, corpus_rows)
    return indices


def read_outputs(run: RunDirectory) -> tuple[str, Mapping[str, TaskOutputs | ImageSums]]:
    """Read the name of the evaluated split, and task name to outputs or, for labels per pixel, sums per image.

    Raises:
        MtlError: If the file is missing or damaged.
    """
    run.require_file(run.outputs)
    try:
        with safe_open(run.outputs, framework="pt") as file:
            split_name = (file.metadata() or {})["part"]
            keys = list(file.keys())
            names = [key.removesuffix("/outputs") for key in keys if key.endswith("/outputs")]
            outputs: dict[str, TaskOutputs | ImageSums] = {
                name: TaskOutputs(*(file.get_tensor(f"{name}/{key}") for key in _KEYS)) for name in names
            }
            for name, sum_keys in list_keys(keys).items():
                outputs[name] = parse_image_sums({key: file.get_tensor(f"{name}/{key}") for key in sum_keys})
    except (SafetensorError, OSError, KeyError) as error:
        raise MtlError(f"{run.outputs}: damaged: {error}") from error
    return split_name, outputs


_KEYS = ("outputs", "targets", "examples")
