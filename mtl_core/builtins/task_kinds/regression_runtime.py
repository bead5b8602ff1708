"""Tasks whose labels are numbers at run time."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.data.number_space import NumberSpace
from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Prediction, TaskKind


class RegressionKind(TaskKind):
    """One or several numbers; the baseline is the mean of the training labels.

    Args:
        space: Holds mean and scale.
        loss: From standardised outputs and targets to losses.
        metrics: What is measured.
    """

    def __init__(self, space: NumberSpace, loss: nn.Module, metrics: Sequence[MetricSpec]) -> None:
        self.outputs = len(space.mean)
        self.loss = loss
        self.metrics = metrics
        self.baseline = 0.0
        self._vector = space.vector
        self._mean = torch.tensor(space.mean, dtype=torch.float64)
        self._scale = torch.tensor(space.scale, dtype=torch.float64)
        self._typical = torch.tensor((space.typical - space.mean) / space.scale, dtype=torch.float32)

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """Numbers in the labels' own units."""
        rows = self._unscaled(outputs).tolist()
        return [Prediction(row if self._vector else row[0], {}) for row in rows]

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """The mean of the training labels, which is 0 for standardised numbers."""
        return self._typical.expand(examples, -1)

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers in the labels' own units, `(n,)` each; of lists `(n, outputs)`, NaN where one is missing."""
        if self._vector:
            return self._unscaled(outputs), self._unscaled(targets)
        return self._unscaled(outputs)[:, 0], self._unscaled(targets.unsqueeze(-1))[:, 0]

    def _unscaled(self, values: torch.Tensor) -> torch.Tensor:
        return values.double() * self._scale + self._mean
