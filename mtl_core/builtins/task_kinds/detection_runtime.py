"""Run-time class of the task kind `detect-and-classify`."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.task_kinds.class_runtime import ClassKind
from mtl_core.builtins.task_kinds.divergence import between_classes, between_odds
from mtl_core.builtins.task_kinds.temperature import best_temperature, best_threshold
from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Confidences


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
        nothing = outputs.shape[1] - 1
        there = targets != nothing
        losses = self.weight * F.binary_cross_entropy_with_logits(
            outputs[:, 0], there.to(outputs.dtype), reduction="none"
        )
        rows = there.nonzero()[:, 0]
        if not len(rows):
            return losses
        return losses.index_add(0, rows, self.loss(outputs[rows, 1:], targets[rows]))


class DetectionKind(ClassKind):
    """Detection and classification: outputs are the log-odds of presence and one logit per class.

    Args:
        classes: Names of the classes, the label for absence last.
        loss: Module from class logits and codes to losses.
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
        super().__init__(classes, DetectionLoss(loss, detection_weight), [1.0], metrics, counts)
        self.nothing = classes[-1]
        self.detection_weight = detection_weight
        self._threshold = threshold

    @property
    def threshold(self) -> float:
        """The minimum probability to predict presence."""
        return self.calibration.get("threshold", self._threshold)

    def detection(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of presence, `(n,)`, from outputs `(n, outputs)`."""
        return torch.sigmoid(outputs[:, 0].float() / self.calibration.get("detection_temperature", 1.0))

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class and of absence, `(n, classes + 1)`, from `(n, 1 + classes)`."""
        there = self.detection(outputs).unsqueeze(1)
        shares = torch.softmax(outputs[:, 1:].float() / self.temperature, dim=-1)
        return torch.cat([there * shares, 1 - there], dim=1)

    def chosen(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return absence below the threshold, otherwise the most probable class."""
        there = 1 - probabilities[:, -1] >= self.threshold
        return torch.where(there, probabilities[:, :-1].argmax(dim=-1), probabilities.shape[1] - 1)

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs whose arg-max respects the threshold; the classes keep their order."""
        probabilities = self.probabilities(outputs)
        there = 1 - probabilities[:, -1:] >= self.threshold
        shares = torch.softmax(outputs[:, 1:].float() / self.temperature, dim=-1)
        return torch.cat([shares, torch.where(there, -1.0, 2.0)], dim=1), targets

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Return the log-odds of presence and the log counts of the classes in the training labels."""
        classes = (self.counts[:-1] + 0.5).log()
        odds = ((self.counts[:-1].sum() + 0.5) / (self.counts[-1] + 0.5)).log()
        return torch.cat([odds.unsqueeze(0), classes]).expand(examples, -1)

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Return the divergence of detection, plus that of the class times the probability of presence."""
        there = torch.sigmoid(first[:, 0].detach())
        detection = between_odds(first[:, 0], second[:, 0])
        return self.detection_weight * detection + there * between_classes(first[:, 1:], second[:, 1:])

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Fit the temperatures of detection and class, and the threshold with the best F1."""
        there = targets != self.outputs - 1
        odds = outputs[:, :1].float()
        detection = best_temperature(torch.cat([torch.zeros_like(odds), odds], dim=1), there.long())
        scores = torch.sigmoid(odds[:, 0] / detection)
        return {
            "temperature": best_temperature(outputs[there, 1:], targets[there]),
            "detection_temperature": detection,
            "threshold": best_threshold(scores, there, self.threshold),
        }

    def confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """Return the confidences of detection and, for examples with presence, of the class."""
        there = targets != self.outputs - 1
        detected = self.detection(outputs)
        said = detected >= self.threshold
        shares = torch.softmax(outputs[there, 1:].float() / self.temperature, dim=-1)
        return {
            "detection": Confidences(torch.where(said, detected, 1 - detected), said == there),
            "class": Confidences(shares.amax(dim=1), shares.argmax(dim=1) == targets[there]),
        }
