"""The run-time class of tasks that predict the set of words, and its loss."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.builtins.task_kinds.runtime.word_prediction import TOP_K
from mtl_core.data.label_space import MISSING
from mtl_core.nn.task_kind import LabelPrediction, TaskKind
from mtl_core.plugins.specs import MetricSpec


class BagLoss(nn.Module):
    """Mean negative log-likelihood of an input's words (Zhao et al., 2017)."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return losses `(n,)` from logits and indicators `(n, words)`; 0 for an input without words."""
        indicators = targets.to(outputs.dtype)
        target_distribution = indicators / indicators.sum(dim=1, keepdim=True).clamp_min(1)
        return -(torch.log_softmax(outputs, dim=1) * target_distribution).sum(dim=1)


class BagKind(TaskKind):
    """Prediction of the set of an input's words; the baseline is the most frequent words.

    Args:
        words: The vocabulary to predict, most frequent words first.
        metrics: The metrics to compute.
    """

    def __init__(self, words: Sequence[str], metrics: Sequence[MetricSpec]) -> None:
        self.classes = words
        self.n_outputs = len(words)
        self.loss = BagLoss()
        self.metrics = metrics
        self.baseline = 0

    def build_input_targets(self, token_ids: torch.Tensor, token_mask: torch.Tensor | None) -> torch.Tensor:
        """Return indicators `(batch, words)`, int8; a row is missing if the input has none of the words."""
        indices = torch.where((token_ids >= 0) & (token_ids < self.n_outputs), token_ids, self.n_outputs)
        indicators = torch.zeros((len(token_ids), self.n_outputs + 1), dtype=torch.int8)
        indicators.scatter_(1, indices, 1)
        indicators = indicators[:, : self.n_outputs]
        return torch.where(indicators.any(dim=1, keepdim=True), indicators, MISSING)

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Return the most probable words with their probabilities, per input."""
        values, codes = torch.softmax(outputs.float(), dim=-1).topk(min(TOP_K, self.n_outputs))
        return [
            LabelPrediction([self.classes[c] for c in row], {self.classes[c]: p for c, p in zip(row, v, strict=True)})
            for row, v in zip(codes.tolist(), values.tolist(), strict=True)
        ]

    def build_baseline_outputs(self, n_examples: int) -> torch.Tensor:
        """Return outputs that rank words by frequency, in every row."""
        return -torch.arange(self.n_outputs, dtype=torch.float32).expand(n_examples, -1)

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return indicators of the k most probable words, with k the number of words in the input."""
        n_words = targets.sum(dim=1, keepdim=True)
        ranks = outputs.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return (ranks < n_words).float(), targets.long()
