"""The run-time class of binary classification, and its loss."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.task_kinds.kl_divergence import compute_binary_divergence
from mtl_core.builtins.task_kinds.runtime.classes import ClassKind, scale_by_temperature
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature
from mtl_core.errors import MtlError
from mtl_core.nn.group_labels import GroupLabels


class SigmoidLoss(nn.Module):
    """Binary cross entropy of one output."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from log-odds `(n, 1)` and codes `(n,)`.

        Raises:
            MtlError: If there is more than one output.
        """
        if outputs.shape[1] != 1:
            raise MtlError(f"a binary task has one output, the log-odds; found {outputs.shape[1]}")
        return F.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype), reduction="none")


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

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one output per class, as metrics require."""
        return self.compute_probabilities(outputs), targets

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return one output per class, for all tasks at once."""
        scaled = scale_by_temperature(kinds, labels, labels.outputs.float())
        return labels.replace(kinds[0].without_calibration().compute_probabilities(scaled))

    def compute_class_logits(self, outputs: torch.Tensor) -> torch.Tensor | None:
        """Return 0 for the first class and the log-odds for the second, `(n, 2)`, float64."""
        return F.pad(outputs.double() / self.temperature, (1, 0))

    @classmethod
    def compute_group_class_logits(cls, kinds: Sequence[Self], labels: GroupLabels) -> torch.Tensor | None:
        """Return 0 and the log-odds, for all tasks at once."""
        return F.pad(scale_by_temperature(kinds, labels, labels.outputs.double()), (1, 0))

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the log-odds of the training labels in every row."""
        first, second = (self.counts + 0.5).tolist()
        return torch.full((n_examples, 1), second / first).log()
