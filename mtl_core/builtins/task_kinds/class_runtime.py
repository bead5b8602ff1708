"""Tasks with classes at run time: one of several, one of two, ordered ones."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mtl_core.builtins.task_kinds.divergence import between_classes, between_odds
from mtl_core.builtins.task_kinds.temperature import best_temperature
from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Confidences, Prediction, TaskKind


class ClassKind(TaskKind):
    """What all of them have: counts, and the most frequent class of the training labels as baseline.

    Args:
        classes: Their names.
        loss: From outputs and codes to losses.
        weights: One a class.
        metrics: What is measured.
        counts: How often each class stands in the training labels.
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
        self.outputs = self.outputs_for(len(classes))
        self.loss = loss
        self.class_weights = None if set(weights) == {1.0} else torch.tensor(weights)
        self.metrics = metrics
        self.counts = torch.tensor([float(counts.get(name, 0)) for name in classes])
        # No training label, no majority; of equally frequent classes, the first.
        self.baseline = int(self.counts.argmax()) if self.counts.any() else None

    def outputs_for(self, classes: int) -> int:
        """How many outputs so many classes need."""
        return classes

    @property
    def temperature(self) -> float:
        """What scores are divided by; 1 if nothing was chosen."""
        return self.calibration.get("temperature", 1.0)

    @abstractmethod
    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """From outputs `(n, outputs)` to the probability of each class, `(n, classes)`."""

    def chosen(self, probabilities: torch.Tensor) -> torch.Tensor:
        """From probabilities `(n, classes)` to the class that is predicted, `(n,)`."""
        return probabilities.argmax(dim=-1)

    def confidences(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, Confidences]:
        """The probability of the predicted class."""
        probabilities = self.probabilities(outputs)
        chosen = self.chosen(probabilities)
        sure = probabilities.gather(1, chosen.unsqueeze(1))[:, 0]
        return {"label": Confidences(sure, chosen == targets)}

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """The predicted class, and the probability of each."""
        probabilities = self.probabilities(outputs)
        best = self.chosen(probabilities).tolist()
        return [
            Prediction(self.classes[code], dict(zip(self.classes, row, strict=True)))
            for code, row in zip(best, probabilities.tolist(), strict=True)
        ]


class ClassificationKind(ClassKind):
    """One of several classes."""

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """From outputs `(n, classes)` to the probability of each class, `(n, classes)`."""
        return torch.softmax(outputs.float() / self.temperature, dim=-1)

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """The mean of both Kullback-Leibler divergences."""
        return between_classes(first, second)

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """The temperature."""
        return {"temperature": best_temperature(outputs, targets)}

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """The training counts in every row: their arg-max is the majority, also among some of the classes."""
        return self.counts.expand(examples, -1)


class BinaryKind(ClassKind):
    """One of two classes by one output: the log-odds of the second."""

    def outputs_for(self, classes: int) -> int:
        """One."""
        return 1

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """From `(n, 1)` to `(n, 2)`."""
        second = torch.sigmoid(outputs.float() / self.temperature)
        return torch.cat([1 - second, second], dim=-1)

    def divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """The mean of both Kullback-Leibler divergences."""
        return between_odds(first[:, 0], second[:, 0])

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """The temperature."""
        return {"temperature": best_temperature(torch.cat([torch.zeros_like(outputs), outputs], dim=1), targets)}

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Metrics read one output a class."""
        return self.probabilities(outputs), targets

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """The log-odds of the training labels."""
        first, second = (self.counts + 0.5).tolist()
        return torch.full((examples, 1), second / first).log()


class OrdinalKind(ClassKind):
    """Ordered classes by one output a threshold: the log-odds of lying above it (Frank and Hall, 2001)."""

    def outputs_for(self, classes: int) -> int:
        """One a threshold."""
        return classes - 1

    def probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """From `(n, classes - 1)` to `(n, classes)`: differences of the chances to lie above each threshold.

        A higher threshold cannot be passed more often than a lower one, so chances are made to fall.
        """
        above = torch.sigmoid(outputs.float()).cummin(dim=-1).values
        certain = above.new_ones((len(above), 1))
        return torch.cat([certain, above], dim=-1) - torch.cat([above, torch.zeros_like(certain)], dim=-1)

    def chosen(self, probabilities: torch.Tensor) -> torch.Tensor:
        """The median: the class at which half of the probability is reached. It is nearest on average."""
        return (probabilities.cumsum(dim=-1) < 0.5).sum(dim=-1).clamp(max=len(self.classes) - 1)

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Metrics take the arg-max, which must be the median; the other classes keep their order."""
        probabilities = self.probabilities(outputs)
        chosen = nn.functional.one_hot(self.chosen(probabilities), len(self.classes))
        return (probabilities + chosen) / 2, targets

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Above every threshold below the most frequent class."""
        thresholds = torch.arange(self.outputs)
        above = thresholds < (self.baseline or 0)
        return torch.where(above, 1.0, -1.0).expand(examples, -1) * 10
