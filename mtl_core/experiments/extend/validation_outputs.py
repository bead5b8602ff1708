"""The outputs of a network for the labels of the validation data, as a comparison reads them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from mtl_core.data.batches import Examples, RowIndices
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.inference import run_network, select_labelled_outputs
from mtl_core.experiments.compare.run_outputs import LabelledImageSums, LabelledOutputs, ScoredOutputs
from mtl_core.nn.device import get_device
from mtl_core.runs.image_sums import ImageSumCollector, is_collected, parse_image_sums
from mtl_core.runs.saved_outputs import TaskOutputs
from mtl_core.runs.saved_run import SavedRun


def collect_validation_outputs(saved_run: SavedRun, data: FittedData) -> dict[str, ScoredOutputs]:
    """Compute the outputs of a network for the validation labels of its main tasks, without calibration.

    The examples have their row indices as ids.

    Args:
        saved_run: The network.
        data: The data, with the head groups of the network and possibly others.

    Returns:
        Name of each task with a validation label to its outputs.
    """
    rows = data.split.validation
    group_index = {group.tasks[0].name: index for index, group in enumerate(data.groups)}
    indices = [group_index[group.tasks[0].name] for group in saved_run.groups]
    examples = Examples(
        data.examples.encoder,
        data.examples.items,
        data.examples.lengths,
        [data.examples.targets[index] for index in indices],
        [data.examples.weights[index] for index in indices],
    )
    tables: dict[str, list[TaskOutputs]] = {}
    tasks = {task.name: task for task in saved_run.main_tasks}
    collectors = {name: ImageSumCollector(task) for name, task in tasks.items() if is_collected(task)}
    active_groups = [not group.is_auxiliary for group in saved_run.groups]
    for batch_outputs in run_network(saved_run.network, examples, rows, get_device(saved_run.network), active_groups):
        for task, outputs, targets, task_rows in select_labelled_outputs(saved_run.groups, batch_outputs):
            if task.name in collectors:
                collectors[task.name].update(outputs, targets, task_rows)
            elif len(task_rows):
                tables.setdefault(task.name, []).append(TaskOutputs(outputs, targets, torch.from_numpy(task_rows)))
    collected = _label_image_sums(collectors, saved_run, rows)
    for name, parts in tables.items():
        joined = TaskOutputs(*(torch.cat([getattr(part, key) for part in parts]) for key in _KEYS))
        task = replace(tasks[name], kind=tasks[name].kind.without_calibration())
        collected[name] = LabelledOutputs(task, joined, joined.examples.numpy().astype(np.str_))
    return collected


_KEYS = ("outputs", "targets", "examples")


def _label_image_sums(
    collectors: Mapping[str, ImageSumCollector], saved_run: SavedRun, rows: RowIndices
) -> dict[str, ScoredOutputs]:
    tasks = {task.name: task for task in saved_run.main_tasks}
    collected: dict[str, ScoredOutputs] = {}
    for name, collector in collectors.items():
        if tensors := collector.build_tensors(rows):
            sums = parse_image_sums(tensors)
            collected[name] = LabelledImageSums(tasks[name], sums, rows[sums.examples.numpy()].astype(np.str_))
    return collected
