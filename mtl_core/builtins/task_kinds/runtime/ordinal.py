"""The run-time class of ordinal classification, and its loss."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.builtins.task_kinds.runtime.classes import ClassKind
from mtl_core.nn.group_labels import GroupLabels


class ThresholdLoss(nn.Module):
    """Mean binary cross entropy over the thresholds of an ordinal scale (Frank and Hall, 2001)."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from log-odds `(n, classes - 1)` and codes `(n,)`."""
        thresholds = torch.arange(outputs.shape[1], device=outputs.device)
        above = (targets.unsqueeze(1) > thresholds).to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, above, reduction="none").mean(dim=1)


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

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs whose arg-max is the median class; the other classes keep their order."""
        probabilities = self.compute_probabilities(outputs)
        one_hot_codes = nn.functional.one_hot(self.predict_codes(probabilities), len(self.classes))
        return (probabilities + one_hot_codes) / 2, targets

    @classmethod
    def prepare_group_for_metrics(cls, kinds: Sequence[Self], labels: GroupLabels) -> GroupLabels:
        """Return outputs whose arg-max is the median class, for all tasks at once: they have no parameters."""
        return labels.replace(kinds[0].prepare_for_metrics(labels.outputs, labels.targets)[0])

    @classmethod
    def compute_group_class_logits(cls, kinds: Sequence[Self], labels: GroupLabels) -> torch.Tensor | None:
        """Return the logarithm of the probabilities, for all tasks at once."""
        return kinds[0].compute_class_logits(labels.outputs)

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return outputs that always predict the most frequent class."""
        thresholds = torch.arange(self.n_outputs)
        above = thresholds < (self.baseline or 0)
        return torch.where(above, 1.0, -1.0).expand(n_examples, -1) * 10
