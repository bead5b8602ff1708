"""Classification at run time."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Prediction, TaskKind


class ClassificationKind(TaskKind):
    """One of several classes; the baseline is the most frequent one of the training labels."""

    def __init__(
        self,
        classes: Sequence[str],
        loss: nn.Module,
        weights: Sequence[float],
        metrics: Sequence[MetricSpec],
        counts: Mapping[str, int],
    ) -> None:
        self.classes = classes
        self.outputs = len(classes)
        self.loss = loss
        self.class_weights = None if set(weights) == {1.0} else torch.tensor(weights)
        self.metrics = metrics
        self._counts = torch.tensor([float(counts.get(name, 0)) for name in classes])
        most = max((counts.get(name, 0) for name in classes), default=0)
        # No training label, no majority.
        self.baseline = next(i for i, name in enumerate(classes) if counts.get(name, 0) == most) if most else None

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """The most probable class, and the probability of each."""
        probabilities = torch.softmax(outputs.float(), dim=-1)
        best = probabilities.argmax(dim=-1).tolist()
        return [
            Prediction(self.classes[code], dict(zip(self.classes, row, strict=True)))
            for code, row in zip(best, probabilities.tolist(), strict=True)
        ]

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """The training counts in every row: their arg-max is the majority, also among some of the classes."""
        return self._counts.expand(examples, -1)
