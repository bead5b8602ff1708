"""Metrics that the labels leave undefined, whatever a network predicts: F1 without positives, R² of equal labels.

A mean over tasks excludes them in every epoch, so that it is always a mean over the same tasks.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import nn

from mtl_core.config.training import Selection
from mtl_core.data.batches import Batch
from mtl_core.data.dense_targets import DenseTargets
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.targets import InputTargets
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import join_names
from mtl_core.evaluation.inference import MAX_EVALUATION_PIXELS, BatchOutputs
from mtl_core.evaluation.prepared_labels import compute_class_logits, prepare_group
from mtl_core.evaluation.scorer import Scorer
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.heads import HeadOutput
from mtl_core.nn.task_kind import LabelPrediction, TaskKind
from mtl_core.plugins.specs import MetricSpec

CHUNK_SIZE = 1024
"""Number of examples whose targets are scored together."""


def find_defined_metrics(select: Selection, data: FittedData) -> dict[str, MetricSpec]:
    """Return the selection metric of each main task whose validation labels allow a value.

    A metric is undefined because of the labels if it is undefined for predictions that equal the labels. (A precision
    that is undefined because nothing is predicted is defined for such predictions.)

    Args:
        select: The resolved selection.
        data: The fitted data.

    Returns:
        Task name to metric, in the order of the tasks.
    """
    metrics: dict[str, MetricSpec] = {}
    for index, group in enumerate(data.groups):
        if group.is_auxiliary:
            continue
        metric = next(spec for spec in group.tasks[0].kind.metrics if select.metric in (None, spec.key()))
        if isinstance(data.examples.targets[index], InputTargets):  # every token that is predicted has a label
            defined_names = {task.name for task in group.tasks}
        else:
            defined_names = _find_defined_tasks(group, index, metric, data)
        metrics |= {task.name: metric for task in group.tasks if task.name in defined_names}
    return metrics


def describe_undefined_metrics(select: Selection, data: FittedData) -> list[str]:
    """Return a warning if the mean that selects the epoch excludes tasks because of their validation labels."""
    if select.aggregation not in {"mean", "relative_error_reduction"} or not len(data.split.validation):
        return []
    defined_metrics = find_defined_metrics(select, data)
    names = [task.name for task in data.tasks if task.auxiliary_spec is None]
    excluded = [name for name in names if name not in defined_metrics]
    if not excluded:
        return []
    return [
        f"selection of the epoch: {len(excluded)} of {len(names)} tasks are excluded, since their metric is undefined "
        f"for the labels of the validation data ({join_names(excluded, 5)})"
    ]


def _find_defined_tasks(group: TaskGroup, group_index: int, metric: MetricSpec, data: FittedData) -> set[str]:
    """Return the tasks of a head group for which the metric of perfect predictions has a value."""
    tasks = [replace(task, kind=_PerfectPredictions(task, metric)) for task in group.tasks]
    perfect_group = TaskGroup(tasks, group.mask)
    scorer = Scorer([perfect_group])
    rows = data.split.select_labelled(data.split.validation)
    table = data.examples.targets[group_index]
    chunk_size = max(1, MAX_EVALUATION_PIXELS // table.shape[0]) if isinstance(table, DenseTargets) else CHUNK_SIZE
    for start in range(0, len(rows), chunk_size):
        chunk = rows[start : start + chunk_size]
        targets = table.get_targets(torch.from_numpy(chunk), None, None)
        outputs = torch.zeros(*targets.shape[: group.n_mask_dimensions], tasks[0].kind.n_outputs)
        scorer.update(BatchOutputs(chunk, Batch(None, [targets], [None]), [HeadOutput(outputs)]))
    scores = scorer.compute().tasks
    return {name for name, score in scores.items() if score.metrics[metric.key()].value is not None}


class _PerfectPredictions(TaskKind):
    """The kind of a task whose predictions equal the targets, for metrics only."""

    baseline = None

    def __init__(self, task: FittedTask, metric: MetricSpec) -> None:
        self._kind = task.kind
        self.n_outputs = task.kind.n_outputs
        self.loss: nn.Module = task.kind.loss
        self.metrics: Sequence[MetricSpec] = [metric]

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        raise NotImplementedError

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        raise NotImplementedError

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one output per class with the highest for the target, or the targets themselves."""
        return _predict_perfectly(*self._kind.prepare_for_metrics(outputs, targets))

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return perfect predictions for all tasks at once."""
        prepared = prepare_group([kind._kind for kind in kinds], labels)
        return prepared.replace(*_predict_perfectly(prepared.outputs, prepared.targets))

    @classmethod
    def compute_group_class_logits(cls, kinds: Sequence[Self], labels: GroupLabels) -> torch.Tensor | None:
        """Return logits of probability 1 for the target."""
        logits = compute_class_logits([kind._kind for kind in kinds], labels)
        return _predict_perfectly(logits.outputs, labels.targets)[0].log()


def _predict_perfectly(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if outputs.ndim > targets.ndim:
        return nn.functional.one_hot(targets.long(), outputs.shape[-1]).to(outputs.dtype), targets
    return targets.to(outputs.dtype).nan_to_num(), targets
