"""Run-time class of the task kind `detect-and-classify`."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.task_kinds.kl_divergence import compute_binary_divergence, compute_class_divergence
from mtl_core.builtins.task_kinds.runtime.classes import ClassKind
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature
from mtl_core.builtins.task_kinds.threshold import fit_threshold
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.task_kind import Confidences, PredictedArrays
from mtl_core.plugins.specs import MetricSpec


class DetectionLoss(nn.Module):
    """Binary cross entropy of detection, plus the class loss for examples with presence.

    Args:
        loss: Module from class logits `(n, classes)` and codes `(n,)` to losses `(n,)`.
        weight: Weight of the detection loss.
    """

    def __init__(self, loss: nn.Module, weight: float) -> None:
        super().__init__()
        self.loss = loss
        self.weight = weight

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from outputs `(n, 1 + classes)`, log-odds first, and codes `(n,)`, absence last."""
        absent_code = outputs.shape[1] - 1
        is_present = targets != absent_code
        losses = self.weight * F.binary_cross_entropy_with_logits(
            outputs[:, 0], is_present.to(outputs.dtype), reduction="none"
        )
        row_indices = is_present.nonzero()[:, 0]
        if not len(row_indices):
            return losses
        return losses.index_add(0, row_indices, self.loss(outputs[row_indices, 1:], targets[row_indices]))


class DetectionKind(ClassKind):
    """Detection and classification: outputs are the log-odds of presence and one logit per class.

    Args:
        classes: Names of the classes, the label for absence last.
        loss: Module from outputs and codes to losses.
        detection_weight: Weight of the detection loss.
        threshold: The minimum probability to predict presence.
        metrics: The metrics to compute.
        counts: Frequency of each class in the training labels.
    """

    def __init__(
        self,
        classes: Sequence[str],
        loss: nn.Module,
        detection_weight: float,
        threshold: float,
        metrics: Sequence[MetricSpec],
        counts: Mapping[str, int],
    ) -> None:
        super().__init__(classes, loss, [1.0], metrics, counts)
        self.absent_label = classes[-1]
        self.detection_weight = detection_weight
        self._default_threshold = threshold

    @property
    def threshold(self) -> float:
        """The minimum probability to predict presence."""
        return self.calibration.get("threshold", self._default_threshold)

    def compute_presence(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of presence, `(n,)`, from outputs `(n, outputs)`."""
        return torch.sigmoid(outputs[:, 0].float() / self.calibration.get("detection_temperature", 1.0))

    def compute_probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class and of absence, `(n, classes + 1)`, from `(n, 1 + classes)`."""
        presence = self.compute_presence(outputs).unsqueeze(1)
        class_probabilities = torch.softmax(outputs[:, 1:].float() / self.temperature, dim=-1)
        return torch.cat([presence * class_probabilities, 1 - presence], dim=1)

    def predict_codes(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return absence below the threshold, otherwise the most probable class."""
        is_present = 1 - probabilities[:, -1] >= self.threshold
        return torch.where(is_present, probabilities[:, :-1].argmax(dim=-1), probabilities.shape[1] - 1)

    @classmethod
    def predict_arrays(cls, kinds: Sequence[Self], outputs: torch.Tensor) -> PredictedArrays | None:
        """Return None: a prediction is a class and the probability of presence, with two temperatures per task."""
        return None

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs whose arg-max respects the threshold; the classes keep their order."""
        probabilities = self.compute_probabilities(outputs)
        is_present = 1 - probabilities[:, -1:] >= self.threshold
        class_probabilities = torch.softmax(outputs[:, 1:].float() / self.temperature, dim=-1)
        return torch.cat([class_probabilities, torch.where(is_present, -1.0, 2.0)], dim=1), targets

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return outputs whose arg-max respects the threshold, for all tasks at once if their calibration is equal."""
        if any(kind.calibration != kinds[0].calibration for kind in kinds):
            return super().prepare_group_for_metrics(kinds, labels)
        return labels.replace(kinds[0].prepare_for_metrics(labels.outputs, labels.targets)[0])

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the log-odds of presence and the log counts of the classes in the training labels."""
        class_logits = (self.counts[:-1] + 0.5).log()
        log_odds = ((self.counts[:-1].sum() + 0.5) / (self.counts[-1] + 0.5)).log()
        return torch.cat([log_odds.unsqueeze(0), class_logits]).expand(n_examples, -1)

    def compute_divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Return the divergence of detection, plus that of the class times the probability of presence."""
        presence = torch.sigmoid(first[:, 0].detach())
        detection_divergence = compute_binary_divergence(first[:, 0], second[:, 0])
        return self.detection_weight * detection_divergence + presence * compute_class_divergence(
            first[:, 1:], second[:, 1:]
        )

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Fit the temperatures of detection and class, and the threshold with the best F1."""
        is_present = targets != self.n_outputs - 1
        log_odds = outputs[:, :1].float()
        detection_temperature = fit_temperature(
            torch.cat([torch.zeros_like(log_odds), log_odds], dim=1), is_present.long()
        )
        presence = torch.sigmoid(log_odds[:, 0] / detection_temperature)
        return {
            "temperature": fit_temperature(outputs[is_present, 1:], targets[is_present]),
            "detection_temperature": detection_temperature,
            "threshold": fit_threshold(presence, is_present, self.threshold),
        }

    def compute_confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """Return the confidences of detection and, for examples with presence, of the class."""
        is_present = targets != self.n_outputs - 1
        presence = self.compute_presence(outputs)
        is_detected = presence >= self.threshold
        class_probabilities = torch.softmax(outputs[is_present, 1:].float() / self.temperature, dim=-1)
        return {
            "detection": Confidences(torch.where(is_detected, presence, 1 - presence), is_detected == is_present),
            "class": Confidences(
                class_probabilities.amax(dim=1), class_probabilities.argmax(dim=1) == targets[is_present]
            ),
        }
