"""The base class of tasks with classes."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import nn

from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.task_kind import Confidences, LabelPrediction, PredictedArrays, TaskKind
from mtl_core.plugins.specs import MetricSpec


class ClassKind(TaskKind):
    """Base class of tasks with classes; the baseline is the most frequent class of the training labels.

    Args:
        classes: Names of the classes.
        loss: Module from outputs and class codes to losses.
        weights: One weight per class.
        metrics: The metrics to compute.
        counts: Frequency of each class in the training labels.
    """

    def __init__(
        self,
        classes: Sequence[str],
        loss: nn.Module,
        weights: Sequence[float],
        metrics: Sequence[MetricSpec],
        counts: Mapping[str, int],
    ) -> None:
        self.classes = classes
        self.n_outputs = self.count_outputs(len(classes))
        self.loss = loss
        self.class_weights = None if set(weights) == {1.0} else torch.tensor(weights)
        self.metrics = metrics
        self.counts = torch.tensor([float(counts.get(name, 0)) for name in classes])
        # There is no majority class without training labels; ties select the first class.
        self.baseline = int(self.counts.argmax()) if self.counts.any() else None

    def count_outputs(self, n_classes: int) -> int:
        """Return the number of outputs for a number of classes."""
        return n_classes

    @property
    def temperature(self) -> float:
        """The temperature by which logits are divided; 1 without calibration."""
        return self.calibration.get("temperature", 1.0)

    @abstractmethod
    def compute_probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class, `(n, classes)`, from outputs `(n, outputs)`."""

    def compute_class_logits(self, outputs: torch.Tensor) -> torch.Tensor | None:
        """Return the logarithm of the probabilities, `(n, classes)`, float64; probabilities of 0 are replaced."""
        probabilities = self.compute_probabilities(outputs)
        return probabilities.clamp_min(torch.finfo(probabilities.dtype).eps).double().log()

    def predict_codes(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the predicted class, `(n,)`, for probabilities `(n, classes)`."""
        return probabilities.argmax(dim=-1)

    def compute_confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """Return the probability of each predicted class, and whether the prediction is correct."""
        probabilities = self.compute_probabilities(outputs)
        codes = self.predict_codes(probabilities)
        confidence = probabilities.gather(1, codes.unsqueeze(1))[:, 0]
        return {"label": Confidences(confidence, codes == targets)}

    @classmethod
    def predict_arrays(cls, kinds: Sequence[Self], outputs: torch.Tensor) -> PredictedArrays | None:
        """Return the code of the predicted class and the probability of each class, per example and task."""
        n_examples, n_tasks, n_outputs = outputs.shape
        temperatures = torch.tensor([kind.temperature for kind in kinds]).unsqueeze(1)
        first = kinds[0].without_calibration()
        probabilities = first.compute_probabilities((outputs.float() / temperatures).reshape(-1, n_outputs))
        codes = first.predict_codes(probabilities)
        return PredictedArrays(codes.view(n_examples, n_tasks), probabilities.view(n_examples, n_tasks, -1))

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Return the predicted class and the probability of each class, per example."""
        probabilities = self.compute_probabilities(outputs)
        codes = self.predict_codes(probabilities).tolist()
        return [
            LabelPrediction(self.classes[code], dict(zip(self.classes, row, strict=True)))
            for code, row in zip(codes, probabilities.tolist(), strict=True)
        ]


def scale_by_temperature(kinds: Sequence[ClassKind], labels: GroupLabels, outputs: torch.Tensor) -> torch.Tensor:
    """Divide the outputs of several tasks, `(labels, outputs)`, by the temperature of each label's task."""
    temperatures = [kind.temperature for kind in kinds]
    if len(set(temperatures)) == 1:
        return outputs if temperatures[0] == 1 else outputs / temperatures[0]
    return outputs / torch.tensor(temperatures, dtype=outputs.dtype)[labels.task_indices].unsqueeze(1)
