"""Tasks with any number of labels at run time."""

from collections.abc import Mapping, Sequence

import torch

from mtl_core.builtins.task_kinds.losses import IndicatorLoss
from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Prediction, TaskKind


class MultiLabelKind(TaskKind):
    """Any number of labels; the baseline is the most frequent label of the training data, always and alone.

    Args:
        classes: Names of the labels.
        threshold: The probability from which on one is predicted.
        metrics: What is measured.
        counts: How often each stands in the training labels.
    """

    def __init__(
        self, classes: Sequence[str], threshold: float, metrics: Sequence[MetricSpec], counts: Mapping[str, int]
    ) -> None:
        self.classes = classes
        self.outputs = len(classes)
        self.loss = IndicatorLoss()
        self.threshold = threshold
        self.metrics = metrics
        most = max((counts.get(name, 0) for name in classes), default=0)
        self.baseline = next(i for i, name in enumerate(classes) if counts.get(name, 0) == most) if most else None

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """The labels above the threshold, and the probability of each."""
        rows = torch.sigmoid(outputs.float()).tolist()
        return [
            Prediction(
                [name for name, value in zip(self.classes, row, strict=True) if value >= self.threshold],
                dict(zip(self.classes, row, strict=True)),
            )
            for row in rows
        ]

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Sure of the most frequent label."""
        outputs = torch.full((examples, self.outputs), -10.0)
        outputs[:, int(self.baseline or 0)] = 10.0
        return outputs

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Metrics cut probabilities at one half."""
        predicted = torch.sigmoid(outputs.float()) >= self.threshold
        return predicted.float(), targets.long()
