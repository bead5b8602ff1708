"""The run-time side of a task kind: loss, output width, decoding, baseline."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import nn

from mtl_core.data.corpus import Label
from mtl_core.specs import MetricSpec


@dataclass(frozen=True)
class Prediction:
    """What a task says about one example, or about one of its tokens.

    Attributes:
        label: The predicted label.
        probabilities: Class name to probability; empty for kinds without classes.
    """

    label: Label
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Confidences:
    """How sure answers are.

    Attributes:
        confidence: `(n,)`: the probability of what was answered.
        right: `(n,)`, bool: whether it is true.
    """

    confidence: torch.Tensor
    right: torch.Tensor


class TaskKind(ABC):
    """What a task does with outputs and targets. For tasks that label tokens, `n` counts tokens.

    Attributes:
        outputs: How many numbers a head must give for an example, or for a token.
        loss: From outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        class_weights: `(classes,)`, or None if every label counts alike.
        metrics: What is measured; the first is the main one.
        baseline: The target that is predicted when nothing is known of the input (the majority class, the mean);
            None if there is none.
        hides: Share of tokens that the network must not see while it predicts (masked-token prediction).
        nothing: The label that says that an input does not speak of what the task asks; None if it always does.
        calibration: What `fit_calibration` chose, which `decode` and `for_metrics` follow; empty before.
    """

    outputs: int
    loss: nn.Module
    class_weights: torch.Tensor | None = None
    metrics: Sequence[MetricSpec]
    baseline: int | float | None
    hides: float = 0.0
    nothing: str | None = None
    calibration: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """Read outputs `(n, outputs)` as predictions."""

    @abstractmethod
    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Outputs `(examples, outputs)` that always say `baseline`, to be scored like any others."""

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring outputs `(n, outputs)` and targets `(n, ...)` into the form that metrics of this kind read."""
        return outputs, targets

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Choose what makes probabilities true, from outputs `(n, outputs)` and targets `(n, ...)` not trained on.

        Returns:
            Name to value, for `calibration`; empty (the default) for kinds that have nothing to choose.
        """
        return {}

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Say how far two answers to the same inputs lie apart, for `training.consistency`.

        Args:
            first: Outputs `(n, outputs)`.
            second: The same of another pass.

        Returns:
            `(n,)`, 0 where they agree; None (the default) for kinds without probabilities.
        """
        return None

    def confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """Say how sure each answer about outputs `(n, outputs)` is, beside whether it is right.

        Returns:
            Name of each question that is answered (`label` where there is one) to its answers; empty (the default)
            for kinds without probabilities.
        """
        return {}

    def input_targets(self, ids: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
        """Make targets from the inputs, for kinds that need no labels.

        Args:
            ids: `(batch, length)`, int64: each token's place in the encoder's vocabulary, -1 where it has none.
            hidden: `(batch, length)`, bool: tokens that the network does not see, if `hides` is not 0.

        Returns:
            Targets of one task: `(batch, length)` for tokens, `(batch, ...)` for examples.
        """
        raise NotImplementedError(f"{type(self).__name__} learns from labels")
