"""Run-time class of regression tasks."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import nn

from mtl_core.data.number_space import NumberSpace
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.task_kind import LabelPrediction, PredictedArrays, TaskKind
from mtl_core.plugins.specs import MetricSpec


class RegressionKind(TaskKind):
    """Regression to one or several numbers; the baseline is the mean of the training labels.

    Args:
        space: The label space with mean and scale.
        loss: Module from standardised outputs and targets to losses.
        metrics: The metrics to compute.
    """

    def __init__(self, space: NumberSpace, loss: nn.Module, metrics: Sequence[MetricSpec]) -> None:
        self.n_outputs = len(space.mean)
        self.loss = loss
        self.metrics = metrics
        self.baseline = 0.0
        self._vector = space.vector
        self._mean = torch.tensor(space.mean, dtype=torch.float64)
        self._scale = torch.tensor(space.scale, dtype=torch.float64)
        self._typical = torch.tensor((space.training_mean - space.mean) / space.scale, dtype=torch.float32)

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Return numbers in the units of the labels."""
        rows = self._unscale(outputs).tolist()
        return [LabelPrediction(row if self._vector else row[0], {}) for row in rows]

    @classmethod
    def predict_arrays(cls, kinds: Sequence[Self], outputs: torch.Tensor) -> PredictedArrays | None:
        """Return numbers in the units of the labels, `(examples, tasks)` or `(examples, tasks, outputs)`."""
        scale, mean = (torch.stack([getattr(kind, name) for kind in kinds]) for name in ("_scale", "_mean"))
        numbers = outputs.double() * scale + mean
        return PredictedArrays(numbers if kinds[0]._vector else numbers[:, :, 0], None)

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the mean of the training labels in every row, which is 0 for standardised numbers."""
        return self._typical.expand(n_examples, -1)

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return values in the units of the labels, `(n,)` or `(n, outputs)`; NaN marks a missing target."""
        if self._vector:
            return self._unscale(outputs), self._unscale(targets)
        return self._unscale(outputs)[:, 0], self._unscale(targets.unsqueeze(-1))[:, 0]

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return values in the units of each task's labels, for all tasks at once."""
        scale, mean = (
            torch.stack([getattr(kind, name) for kind in kinds])[labels.task_indices] for name in ("_scale", "_mean")
        )
        outputs, targets = labels.outputs.double(), labels.targets.double()
        if not kinds[0]._vector:
            outputs, scale, mean = outputs[:, 0], scale[:, 0], mean[:, 0]
        return labels.replace(outputs * scale + mean, targets * scale + mean)

    def _unscale(self, values: torch.Tensor) -> torch.Tensor:
        return values.double() * self._scale + self._mean
