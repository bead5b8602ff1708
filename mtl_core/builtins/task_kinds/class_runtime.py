"""Run-time classes of classification tasks: multiclass, binary and ordinal."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mtl_core.builtins.task_kinds.divergence import compute_binary_divergence, compute_class_divergence
from mtl_core.builtins.task_kinds.temperature import fit_temperature
from mtl_core.nn.task_kind import Confidences, LabelPrediction, TaskKind
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

    def predict_codes(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the predicted class, `(n,)`, for probabilities `(n, classes)`."""
        return probabilities.argmax(dim=-1)

    def compute_confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """Return the probability of each predicted class, and whether the prediction is correct."""
        probabilities = self.compute_probabilities(outputs)
        codes = self.predict_codes(probabilities)
        confidence = probabilities.gather(1, codes.unsqueeze(1))[:, 0]
        return {"label": Confidences(confidence, codes == targets)}

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Return the predicted class and the probability of each class, per example."""
        probabilities = self.compute_probabilities(outputs)
        codes = self.predict_codes(probabilities).tolist()
        return [
            LabelPrediction(self.classes[code], dict(zip(self.classes, row, strict=True)))
            for code, row in zip(codes, probabilities.tolist(), strict=True)
        ]


class ClassificationKind(ClassKind):
    """Multiclass classification: one of several classes."""

    def compute_probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class, `(n, classes)`, from logits `(n, classes)`."""
        return torch.softmax(outputs.float() / self.temperature, dim=-1)

    def compute_divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Return the symmetric Kullback-Leibler divergence: the mean of both directions."""
        return compute_class_divergence(first, second)

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Fit the temperature."""
        return {"temperature": fit_temperature(outputs, targets)}

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the training counts in every row, whose arg-max is the majority class, also of a subset."""
        return self.counts.expand(n_examples, -1)


class BinaryKind(ClassKind):
    """Binary classification with one output: the log-odds of the second class."""

    def count_outputs(self, n_classes: int) -> int:
        """Return 1."""
        return 1

    def compute_probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class, `(n, 2)`, from log-odds `(n, 1)`."""
        second = torch.sigmoid(outputs.float() / self.temperature)
        return torch.cat([1 - second, second], dim=-1)

    def compute_divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Return the symmetric Kullback-Leibler divergence: the mean of both directions."""
        return compute_binary_divergence(first[:, 0], second[:, 0])

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Fit the temperature."""
        return {"temperature": fit_temperature(torch.cat([torch.zeros_like(outputs), outputs], dim=1), targets)}

    def prepare_for_metrics(
        self, outputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one output per class, as metrics require."""
        return self.compute_probabilities(outputs), targets

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the log-odds of the training labels in every row."""
        first, second = (self.counts + 0.5).tolist()
        return torch.full((n_examples, 1), second / first).log()


class OrdinalKind(ClassKind):
    """Ordinal classification: one output per threshold, the log-odds of exceeding it (Frank and Hall, 2001)."""

    def count_outputs(self, n_classes: int) -> int:
        """Return one output per threshold."""
        return n_classes - 1

    def compute_probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class, `(n, classes)`, from log-odds `(n, classes - 1)`.

        They are differences of the cumulative probabilities, which are made monotonic over the thresholds.
        """
        above = torch.sigmoid(outputs.float()).cummin(dim=-1).values
        ones = above.new_ones((len(above), 1))
        return torch.cat([ones, above], dim=-1) - torch.cat([above, torch.zeros_like(ones)], dim=-1)

    def predict_codes(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the median class, which minimises the expected distance."""
        return (probabilities.cumsum(dim=-1) < 0.5).sum(dim=-1).clamp(max=len(self.classes) - 1)

    def prepare_for_metrics(
        self, outputs: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs whose arg-max is the median class; the other classes keep their order."""
        probabilities = self.compute_probabilities(outputs)
        one_hot_codes = nn.functional.one_hot(self.predict_codes(probabilities), len(self.classes))
        return (probabilities + one_hot_codes) / 2, targets

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return outputs that always predict the most frequent class."""
        thresholds = torch.arange(self.n_outputs)
        above = thresholds < (self.baseline or 0)
        return torch.where(above, 1.0, -1.0).expand(n_examples, -1) * 10
