"""The run-time class of multiclass classification."""

from collections.abc import Mapping

import torch

from mtl_core.builtins.task_kinds.kl_divergence import compute_class_divergence
from mtl_core.builtins.task_kinds.runtime.classes import ClassKind
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature


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
