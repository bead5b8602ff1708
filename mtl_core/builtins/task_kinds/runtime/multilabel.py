"""The run-time class of multi-label tasks, and its loss."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.task_kind import LabelPrediction, PredictedArrays, TaskKind
from mtl_core.plugins.specs import MetricSpec


class IndicatorLoss(nn.Module):
    """Mean binary cross entropy over the labels of a multi-label task; missing indicators are left out."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from log-odds `(n, labels)` and indicators `(n, labels)`, negative or NaN if missing."""
        present = targets >= 0  # False for NaN, too
        # Replace a missing indicator before the loss: 0 times NaN would be NaN.
        filled = torch.where(present, targets, 0).to(outputs.dtype)
        losses = F.binary_cross_entropy_with_logits(outputs, filled, reduction="none").masked_fill(~present, 0)
        return losses.sum(dim=1) / present.sum(dim=1).clamp_min(1)


class MultiLabelKind(TaskKind):
    """Multi-label classification; the baseline predicts only the most frequent label of the training data.

    Args:
        classes: Names of the labels.
        loss: Module from log-odds and indicators to losses.
        threshold: The minimum probability to predict a label.
        metrics: The metrics to compute.
        counts: Frequency of each label in the training data.
    """

    def __init__(
        self,
        classes: Sequence[str],
        loss: nn.Module,
        threshold: float,
        metrics: Sequence[MetricSpec],
        counts: Mapping[str, int],
    ) -> None:
        self.classes = classes
        self.n_outputs = len(classes)
        self.loss = loss
        self.threshold = threshold
        self.metrics = metrics
        highest_count = max((counts.get(name, 0) for name in classes), default=0)
        self.baseline = (
            next(i for i, name in enumerate(classes) if counts.get(name, 0) == highest_count) if highest_count else None
        )

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Return the labels at or above the threshold, and the probability of each label, per example."""
        rows = torch.sigmoid(outputs.float()).tolist()
        return [
            LabelPrediction(
                [name for name, value in zip(self.classes, row, strict=True) if value >= self.threshold],
                dict(zip(self.classes, row, strict=True)),
            )
            for row in rows
        ]

    @classmethod
    def predict_arrays(cls, kinds: Sequence[Self], outputs: torch.Tensor) -> PredictedArrays | None:
        """Return which labels are at or above the threshold, and the probability of each label."""
        probabilities = torch.sigmoid(outputs.float())
        return PredictedArrays(probabilities >= kinds[0].threshold, probabilities)

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return outputs that predict only the most frequent label."""
        outputs = torch.full((n_examples, self.n_outputs), -10.0)
        outputs[:, int(self.baseline or 0)] = 10.0
        return outputs

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return 0/1 predictions, since metrics apply a threshold of 0.5."""
        predicted = torch.sigmoid(outputs.float()) >= self.threshold
        return predicted.float(), targets.long()

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return 0/1 predictions for all tasks at once, whose thresholds are equal."""
        return labels.replace(*kinds[0].prepare_for_metrics(labels.outputs, labels.targets))
