"""Collection of the predictions of many tasks as arrays, without an object per example and task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.artifacts.prediction_arrays import GroupArrays, PredictionArrays
from mtl_core.data.batches import RowIndices
from mtl_core.data.class_space import ClassSpace
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.task_groups import TaskGroup
from mtl_core.evaluation.inference import BatchOutputs


class ArrayCollector:
    """Predictions for a set of examples as arrays, collected per batch.

    Args:
        groups: The head groups. `can_predict_arrays` is true for those whose tasks are predicted.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        self._rows: list[RowIndices] = []
        self._batches: dict[int, list[_Batch]] = {index: [] for index, group in enumerate(groups) if group.is_predicted}

    def update(self, batch_outputs: BatchOutputs) -> None:
        """Add the predictions of a batch, and its labels if it has targets."""
        self._rows.append(batch_outputs.rows)
        targets = batch_outputs.batch.targets
        for index, batches in self._batches.items():
            output = batch_outputs.groups[index]
            assert output is not None  # noqa: S101  the groups of predicted tasks are computed
            batches.append(_Batch(self._groups[index], output.outputs, targets[index] if targets else None))

    def build(
        self, split: str, ids: Sequence[str], rows: RowIndices, samples: Sequence[Mapping[str, Any]] = ()
    ) -> PredictionArrays:
        """Build the predictions of all batches.

        Args:
            split: The name of the split; empty for other inputs.
            ids: The id of each example.
            rows: `(examples,)`, int64: the row index of each example, in the order of the result.
            samples: The first examples, see `PredictionArrays.samples`.
        """
        collected = np.concatenate(self._rows) if self._rows else np.zeros(0, dtype=np.int64)
        by_row = np.argsort(collected, kind="stable")
        order = by_row[np.searchsorted(collected[by_row], rows)]
        groups = [
            _join_batches(self._groups[index], batches, order) for index, batches in self._batches.items() if batches
        ]
        return PredictionArrays(split, ids, groups, samples)


class _Batch:
    """The predictions of a head group for one batch."""

    def __init__(self, group: TaskGroup, outputs: torch.Tensor, targets: torch.Tensor | None) -> None:
        kinds = [task.kind for task in group.tasks]
        predicted = type(kinds[0]).predict_arrays(kinds, outputs.cpu())
        assert predicted is not None  # noqa: S101  `can_predict_arrays` has been checked
        self.labels = _shorten(predicted.labels)
        self.probabilities = None if predicted.probabilities is None else predicted.probabilities.float().numpy()
        self.gold = None if targets is None else _convert_targets(group, targets.cpu())


def _convert_targets(group: TaskGroup, targets: torch.Tensor) -> NDArray[Any]:
    """Convert targets `(batch, tasks, ...)` to the form of predicted labels: standardised numbers to their units."""
    if not targets.is_floating_point():
        return targets.numpy()
    kinds = [task.kind for task in group.tasks]
    numbers = type(kinds[0]).predict_arrays(kinds, targets if targets.ndim == 3 else targets.unsqueeze(2))
    assert numbers is not None  # noqa: S101  `can_predict_arrays` has been checked
    return _shorten(numbers.labels)


def _shorten(labels: torch.Tensor) -> NDArray[Any]:
    return (labels.float() if labels.is_floating_point() else labels).numpy()


def _join_batches(group: TaskGroup, batches: Sequence[_Batch], order: NDArray[np.int64]) -> GroupArrays:
    def join(tables: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
        arrays = [table for table in tables if table is not None]
        return np.concatenate(arrays)[order] if arrays else None

    labels = join([batch.labels for batch in batches])
    assert labels is not None  # noqa: S101  every batch has predictions
    return GroupArrays(
        kind=group.tasks[0].config.kind.type,
        tasks=[task.name for task in group.tasks],
        classes=[list(task.space.classes) for task in group.tasks],
        other_labels=[_list_excluded(task) for task in group.tasks],
        labels=labels,
        probabilities=join([batch.probabilities for batch in batches]),
        gold=join([batch.gold for batch in batches]),
    )


def _list_excluded(task: FittedTask) -> list[str]:
    return list(task.space.excluded) if isinstance(task.space, ClassSpace) else []
