"""Task kinds at run time: loss, number of outputs, decoding, baseline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtl_core.data.corpus import Label
    from mtl_core.nn.group_labels import GroupLabels
    from mtl_core.plugins.specs import MetricSpec


@dataclass(frozen=True)
class LabelPrediction:
    """The prediction of a task for one example, or for one token.

    Attributes:
        label: The predicted label.
        probabilities: Mapping of class name to probability; empty for kinds without classes.
    """

    label: Label
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Confidences:
    """Confidence and correctness of predictions.

    Attributes:
        confidence: `(n,)`, float: the probability of the predicted label.
        is_correct: `(n,)`, bool: whether the prediction is correct.
    """

    confidence: torch.Tensor
    is_correct: torch.Tensor


@dataclass(frozen=True)
class PredictedArrays:
    """The predictions of several tasks for the same examples, as arrays.

    Attributes:
        labels: `(examples, tasks)`, int64: the codes of the predicted classes; `(examples, tasks, classes)`, bool:
            which classes are predicted, for labels that are lists; `(examples, tasks)` or
            `(examples, tasks, outputs)`, float: numbers.
        probabilities: `(examples, tasks, classes)`, float32; None for numbers.
    """

    labels: torch.Tensor
    probabilities: torch.Tensor | None


class TaskKind(ABC):
    """Base class of task kinds: loss, decoding and metrics. For labels per token or pixel, `n` counts these.

    Attributes:
        n_outputs: Number of outputs of the head per example, token or pixel.
        loss: Module from outputs `(n, outputs)` and targets `(n, ...)` to losses `(n,)`.
        class_weights: `(classes,)`, float, or None for equal weights.
        metrics: The metrics; the first is the main metric.
        baseline: The constant target that a baseline without inputs predicts (the majority class, the mean); None
            if there is no baseline.
        mask_ratio: Share of tokens that are masked in the input (masked-token prediction).
        absent_label: The label that means "absent"; None if the task has no such label.
        calibration: Parameters from `fit_calibration`, applied by `decode` and `prepare_for_metrics`.
    """

    n_outputs: int
    loss: nn.Module
    class_weights: torch.Tensor | None = None
    metrics: Sequence[MetricSpec]
    baseline: int | float | None
    mask_ratio: float = 0.0
    absent_label: str | None = None
    calibration: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Decode outputs `(n, outputs)` as predictions."""

    @classmethod
    def predict_arrays(cls, kinds: Sequence[Self], outputs: torch.Tensor) -> PredictedArrays | None:
        """Predict several tasks with one label per example at once; the results equal those of `decode`.

        Args:
            kinds: The kind of each task. All tasks are of one head group, so that their options are equal.
            outputs: `(examples, tasks, outputs)`.

        Returns:
            The predictions; None (the default) for kinds whose predictions are more than a label and probabilities.
        """
        return None

    @abstractmethod
    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return outputs `(examples, outputs)` that always predict `baseline`."""

    def decode_mask(self, outputs: torch.Tensor) -> NDArray[Any]:
        """Decode the outputs of one image as a predicted mask, for kinds with one label per pixel.

        Args:
            outputs: `(pixels, outputs)`.

        Returns:
            `(pixels,)` or `(pixels, channels)`: class indices as an unsigned dtype, or numbers as float32.
        """
        raise NotImplementedError(f"{type(self).__name__} does not predict masks")

    def summarize_mask(self, mask: NDArray[Any]) -> dict[str, Any]:
        """Return what records of predictions contain of a predicted mask, besides its size; by default nothing.

        Args:
            mask: `(height, width)` or `(height, width, channels)`, as decoded.

        Returns:
            A few values that can be written as JSON, not one per pixel.
        """
        return {}

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Convert outputs `(n, outputs)` and targets `(n, ...)` to the form that the metrics expect."""
        return outputs, targets

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Convert the labels of several tasks at once, with the results of `prepare_for_metrics`.

        It is used for kinds whose own class defines it, since a subclass may convert outputs differently. The default
        converts one task at a time.

        Args:
            kinds: The kind of each task. All tasks are of one head group, so that their options are equal.
            labels: At least one label: outputs `(labels, outputs)` and targets `(labels, ...)` of all tasks.
        """
        prepared = [
            kind.prepare_for_metrics(outputs, targets)
            for kind, (outputs, targets) in zip(kinds, labels.split_tasks(), strict=True)
            if len(targets)
        ]
        outputs, targets = (torch.cat(parts) for parts in zip(*prepared, strict=True))
        return labels.replace(outputs, targets)

    def compute_class_logits(self, outputs: torch.Tensor) -> torch.Tensor | None:
        """Compute the logits whose softmax is the calibrated probability of each class, for `reads_class_logits`.

        Logits have a resolution that probabilities near 0 and 1 lose by rounding, and with it the order of examples.

        Args:
            outputs: `(n, outputs)`.

        Returns:
            `(n, classes)`, float64; None (the default) for kinds without probabilities of classes.
        """
        return None

    @classmethod
    def compute_group_class_logits(cls, kinds: Sequence[Self], labels: GroupLabels) -> torch.Tensor | None:
        """Compute the class logits of several tasks at once, with the results of `compute_class_logits`.

        It is used as `prepare_group_for_metrics` is, with the same arguments. The default computes one task at a time.
        """
        parts = [
            kind.compute_class_logits(outputs)
            for kind, (outputs, _) in zip(kinds, labels.split_tasks(), strict=True)
            if len(outputs)
        ]
        logits = [part for part in parts if part is not None]
        return torch.cat(logits) if len(logits) == len(parts) else None

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Fit calibration parameters to held-out outputs `(n, outputs)` and targets `(n, ...)`.

        Returns:
            Mapping of parameter name to value for `calibration`; empty (the default) for kinds without calibration.
        """
        return {}

    def without_calibration(self) -> Self:
        """Return a copy without calibration, for outputs that are not the network's: those of the baseline."""
        uncalibrated = copy(self)
        uncalibrated.calibration = MappingProxyType({})
        return uncalibrated

    def compute_divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Compute the divergence between two outputs for the same inputs, for `training.r_drop`.

        Args:
            first: Outputs `(n, outputs)`.
            second: Outputs `(n, outputs)` of another forward pass.

        Returns:
            `(n,)`, 0 for equal outputs; None (the default) for kinds without probabilities.
        """
        return None

    def compute_confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """Compute confidence and correctness of the predictions for outputs `(n, outputs)`.

        Returns:
            Mapping of the predicted quantity (`label` if there is only one) to its confidences; empty (the default)
            for kinds without probabilities.
        """
        return {}

    def build_input_targets(self, token_ids: torch.Tensor, token_mask: torch.Tensor | None) -> torch.Tensor:
        """Derive targets from the inputs, for kinds that need no labels.

        Args:
            token_ids: `(batch, length)`, int64: each token's index in the encoder's vocabulary; -1 for no entry.
            token_mask: `(batch, length)`, bool: the masked tokens; None if `mask_ratio` is 0.

        Returns:
            The targets of one task: `(batch, length)` per token, `(batch, ...)` per example.
        """
        raise NotImplementedError(f"{type(self).__name__} does not derive targets from inputs")


def require_class_logits(kind: TaskKind, metric: MetricSpec, outputs: torch.Tensor) -> torch.Tensor:
    """Compute the class logits of outputs `(n, outputs)` for a metric that reads them, `(n, classes)`.

    Raises:
        MtlError: If the kind has no probabilities of classes.
    """
    logits = kind.compute_class_logits(outputs)
    if logits is None:
        raise MtlError(f"the metric '{metric.type}' needs probabilities of classes, which this kind of task lacks")
    return logits
