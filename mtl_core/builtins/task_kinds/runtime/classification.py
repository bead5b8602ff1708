"""The run-time class of multiclass classification."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch

from mtl_core.builtins.task_kinds.kl_divergence import compute_class_divergence
from mtl_core.builtins.task_kinds.runtime.classes import ClassKind, scale_by_temperature
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature
from mtl_core.nn.group_labels import GroupLabels


class ClassificationKind(ClassKind):
    """Multiclass classification: one of several classes."""

    def compute_probabilities(self, outputs: torch.Tensor) -> torch.Tensor:
        """Compute the probability of each class, `(n, classes)`, from logits `(n, classes)`."""
        return torch.softmax(outputs.float() / self.temperature, dim=-1)

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return the labels as they are: a temperature does not change the predicted class."""
        return labels

    def compute_class_logits(self, outputs: torch.Tensor) -> torch.Tensor | None:
        """Return the logits, divided by the temperature, `(n, classes)`, float64."""
        return outputs.double() / self.temperature

    @classmethod
    def compute_group_class_logits(cls, kinds: Sequence[Self], labels: GroupLabels) -> torch.Tensor | None:
        """Return the logits, divided by each task's temperature."""
        return scale_by_temperature(kinds, labels, labels.outputs.double())

    def compute_divergence(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor | None:
        """Return the symmetric Kullback-Leibler divergence: the mean of both directions."""
        return compute_class_divergence(first, second)

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Fit the temperature."""
        return {"temperature": fit_temperature(outputs, targets)}

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the logits of the training frequencies; the arg-max is the majority class, also of a subset."""
        return (self.counts.double() + 0.5).log().float().expand(n_examples, -1)
