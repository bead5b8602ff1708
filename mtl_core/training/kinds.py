"""The run-time side of a task kind: loss, output width, decoding, baseline."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mtl_core.data.corpus import Label
from mtl_core.specs import MetricSpec


@dataclass(frozen=True)
class Prediction:
    """What a task says about one example.

    Attributes:
        label: The predicted label.
        probabilities: Class name to probability; empty for kinds without classes.
    """

    label: Label
    probabilities: Mapping[str, float]


class TaskKind(ABC):
    """What a task does with outputs and targets.

    Attributes:
        outputs: How many numbers a head must give for an example.
        loss: From outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        class_weights: `(classes,)`, or None if every label counts alike.
        metrics: What is measured.
        baseline: The target that is predicted when nothing is known of the input (the majority class).
    """

    outputs: int
    loss: nn.Module
    class_weights: torch.Tensor | None
    metrics: Sequence[MetricSpec]
    baseline: int | float | None

    @abstractmethod
    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """Read outputs `(n, outputs)` as predictions."""

    @abstractmethod
    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Outputs `(examples, outputs)` that always say `baseline`, to be scored like any others."""
