"""The run-time class of tasks that predict the word of each token."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.losses.modules.cross_entropy import CrossEntropyLoss
from mtl_core.builtins.task_kinds.runtime.classification import ClassificationKind
from mtl_core.data.label_space import MISSING
from mtl_core.nn.task_kind import LabelPrediction
from mtl_core.plugins.specs import MetricSpec

TOP_K = 10
"""Number of most probable words in a prediction."""


class WordKind(ClassificationKind):
    """Prediction of the word of each token; the baseline is the most frequent word, which is the first.

    Args:
        words: The vocabulary to predict, most frequent words first.
        metrics: The metrics to compute.
        mask_ratio: Fraction of tokens that are masked and predicted; 0 masks none and predicts all.
    """

    def __init__(self, words: Sequence[str], metrics: Sequence[MetricSpec], mask_ratio: float) -> None:
        super().__init__(words, CrossEntropyLoss(0.0), [1.0] * len(words), metrics, {words[0]: 1})
        self.mask_ratio = mask_ratio

    def build_input_targets(self, token_ids: torch.Tensor, token_mask: torch.Tensor | None) -> torch.Tensor:
        """Return the word ids, `(batch, length)`, int64; missing where a word is rare or not masked."""
        is_target = token_ids < self.n_outputs
        if token_mask is not None:
            is_target = is_target & token_mask
        return torch.where(is_target, token_ids, MISSING)

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        """Return the most probable word, and the probabilities of the top words, per token."""
        values, codes = torch.softmax(outputs.float(), dim=-1).topk(min(TOP_K, self.n_outputs))
        return [
            LabelPrediction(self.classes[row[0]], {self.classes[c]: p for c, p in zip(row, probabilities, strict=True)})
            for row, probabilities in zip(codes.tolist(), values.tolist(), strict=True)
        ]
