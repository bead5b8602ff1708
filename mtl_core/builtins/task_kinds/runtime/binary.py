"""The run-time class of binary classification, and its loss."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.task_kinds.kl_divergence import compute_binary_divergence
from mtl_core.builtins.task_kinds.runtime.classes import ClassKind
from mtl_core.builtins.task_kinds.temperature_scaling import fit_temperature
from mtl_core.errors import MtlError


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

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return the log-odds of the training labels in every row."""
        first, second = (self.counts + 0.5).tolist()
        return torch.full((n_examples, 1), second / first).log()
