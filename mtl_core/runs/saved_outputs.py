"""Raw outputs and targets for every label of a split, as in `outputs.safetensors`; the input of all metrics.

A file of few tasks has three tensors per task, a file of many tasks four per head group. For tasks with labels per
pixel, it has the sums of each image instead.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.artifacts.saved_predictions import read_example_ids
from mtl_core.atomic import write_atomically
from mtl_core.data.batches import RowIndices
from mtl_core.data.corpus import SplitName
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import BatchOutputs, select_labelled_outputs
from mtl_core.runs.image_sums import ImageSumCollector, ImageSums, is_collected, list_keys, parse_image_sums
from mtl_core.runs.label_outputs import GroupOutputCollector, GroupOutputs, TaskOutputs

__all__ = ["OutputCollector", "TaskOutputs", "read_output_ids", "read_outputs"]

GROUPS_KEY = "groups"
"""The key of the metadata of a file of many tasks: the names of the tasks of each head group, as JSON."""
IDS_KEY = "ids"
"""The name of the tensor with the ids of the examples, as JSON in UTF-8; missing if `predictions.jsonl` has them."""
_KEYS = ("outputs", "targets", "examples")


class OutputCollector:
    """Collects the outputs of main tasks for all unmasked labels per batch: exactly the input of their metrics.

    Args:
        groups: The head groups.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        main_groups = {index: group for index, group in enumerate(groups) if not group.is_auxiliary}
        tasks = [task for group in main_groups.values() for task in group.tasks]
        self._has_many_tasks = has_many_tasks(len(tasks))
        self._outputs = {
            index: GroupOutputCollector(group)
            for index, group in main_groups.items()
            if not is_collected(group.tasks[0])
        }
        self._sums = {task.name: ImageSumCollector(task) for task in tasks if is_collected(task)}

    def update(self, batch_outputs: BatchOutputs) -> None:
        """Add the outputs of a batch."""
        for index, collector in self._outputs.items():
            output = batch_outputs.groups[index]
            if output is not None:
                collector.update(output.outputs, batch_outputs.batch.targets[index], batch_outputs.rows)
        if self._sums:
            for task, outputs, targets, rows in select_labelled_outputs(self._groups, batch_outputs):
                if task.name in self._sums:
                    self._sums[task.name].update(outputs, targets, rows)

    def write(self, run: RunDirectory, split_name: SplitName, rows: RowIndices, ids: Sequence[str] | None) -> None:
        """Write `outputs.safetensors`.

        Args:
            run: The run directory.
            split_name: Name of the evaluated split.
            rows: `(examples,)`, int64: row indices of the split, in the order of the predictions.
            ids: The id of each example; None if `predictions.jsonl` contains them.
        """
        groups = [group for collector in self._outputs.values() if (group := collector.build(rows)) is not None]
        tensors = _arrange_by_group(groups) if self._has_many_tasks else _arrange_by_task(groups)
        if ids is not None:
            encoded_ids = np.frombuffer(json.dumps(list(ids), ensure_ascii=False).encode(), dtype=np.uint8)
            tensors[IDS_KEY] = torch.from_numpy(encoded_ids.copy())
        for name, collector in self._sums.items():
            for key, table in collector.build_tensors(rows).items():
                tensors[f"{name}/{key}"] = table
        metadata: dict[str, str] = {"part": split_name}
        if self._has_many_tasks:
            metadata[GROUPS_KEY] = json.dumps([list(group.tasks) for group in groups], ensure_ascii=False)
        write_atomically(run.outputs, lambda path: save_file(tensors, path, metadata=metadata))


def _arrange_by_task(groups: Sequence[GroupOutputs]) -> dict[str, torch.Tensor]:
    """Return three tensors per task, which are empty for a task without labels."""
    return {
        f"{name}/{key}": getattr(outputs, key).contiguous().clone()
        for group in groups
        for name, outputs in group.iterate_tasks()
        for key in _KEYS
    }


def _arrange_by_group(groups: Sequence[GroupOutputs]) -> dict[str, torch.Tensor]:
    """Return four tensors per head group."""
    tensors: dict[str, torch.Tensor] = {}
    for index, group in enumerate(groups):
        tensors |= {f"{index}.{key}": getattr(group.labels, key).contiguous() for key in _KEYS}
        tensors[f"{index}.examples"] = group.labels.examples.int()
        tensors[f"{index}.counts"] = group.counts
    return tensors


def read_outputs(run: RunDirectory) -> tuple[str, Mapping[str, TaskOutputs | ImageSums]]:
    """Read the name of the evaluated split, and task name to outputs or, for labels per pixel, sums per image.

    Raises:
        MtlError: If the file is missing or damaged.
    """
    run.require_file(run.outputs)
    try:
        with safe_open(run.outputs, framework="pt") as file:
            metadata = file.metadata() or {}
            split_name = metadata["part"]
            keys = list(file.keys())
            outputs: dict[str, TaskOutputs | ImageSums] = {}
            if GROUPS_KEY in metadata:
                outputs |= _read_groups(file, json.loads(metadata[GROUPS_KEY]))
            else:
                names = [key.removesuffix("/outputs") for key in keys if key.endswith("/outputs")]
                outputs |= {name: TaskOutputs(*(file.get_tensor(f"{name}/{key}") for key in _KEYS)) for name in names}
            for name, sum_keys in list_keys(keys).items():
                outputs[name] = parse_image_sums({key: file.get_tensor(f"{name}/{key}") for key in sum_keys})
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise MtlError(f"{run.outputs}: damaged: {error}") from error
    return split_name, outputs


def _read_groups(file: Any, groups: Sequence[Sequence[str]]) -> dict[str, TaskOutputs]:
    outputs: dict[str, TaskOutputs] = {}
    for index, tasks in enumerate(groups):
        labels = TaskOutputs(*(file.get_tensor(f"{index}.{key}") for key in _KEYS))
        outputs |= dict(GroupOutputs(tasks, file.get_tensor(f"{index}.counts"), labels).iterate_tasks())
    return outputs


def read_output_ids(run: RunDirectory) -> list[str]:
    """Read the id of each example that `TaskOutputs.examples` refers to, also of a run without predictions.

    Raises:
        MtlError: If the run has no ids, or a file is damaged.
    """
    try:
        with safe_open(run.require_file(run.outputs), framework="numpy") as file:
            if IDS_KEY in file.keys():  # noqa: SIM118  not a dict
                ids: list[str] = json.loads(file.get_tensor(IDS_KEY).tobytes())
                return ids
    except (SafetensorError, OSError, ValueError) as error:
        raise MtlError(f"{run.outputs}: damaged: {error}") from error
    return read_example_ids(run.require_predictions())
