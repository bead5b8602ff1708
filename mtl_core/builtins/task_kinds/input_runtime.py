"""Run-time classes of self-supervised task kinds, which predict the input itself."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.modules import CrossEntropyLoss
from mtl_core.builtins.task_kinds.class_runtime import ClassificationKind
from mtl_core.builtins.task_kinds.losses import BagLoss
from mtl_core.data.label_space import MISSING
from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Prediction, TaskKind

TOLD_WORDS = 10
"""Number of most probable words in a prediction."""


class WordKind(ClassificationKind):
    """Prediction of the word of each token; the baseline is the most frequent word, which is the first.

    Args:
        words: The vocabulary to predict, most frequent words first.
        metrics: The metrics to compute.
        hides: Fraction of tokens that are masked and predicted; 0 masks none and predicts all.
    """

    def __init__(self, words: Sequence[str], metrics: Sequence[MetricSpec], hides: float) -> None:
        super().__init__(words, CrossEntropyLoss(0.0), [1.0] * len(words), metrics, {words[0]: 1})
        self.hides = hides

    def input_targets(self, ids: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
        """Return the word ids, `(batch, length)`, int64; missing where a word is rare or not masked."""
        told = ids < self.outputs
        if hidden is not None:
            told = told & hidden
        return torch.where(told, ids, MISSING)

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """Return the most probable word, and the probabilities of the top words, per token."""
        values, codes = torch.softmax(outputs.float(), dim=-1).topk(min(TOLD_WORDS, self.outputs))
        return [
            Prediction(self.classes[row[0]], {self.classes[c]: p for c, p in zip(row, chances, strict=True)})
            for row, chances in zip(codes.tolist(), values.tolist(), strict=True)
        ]


class BagKind(TaskKind):
    """Prediction of the set of an input's words; the baseline is the most frequent words.

    Args:
        words: The vocabulary to predict, most frequent words first.
        metrics: The metrics to compute.
    """

    def __init__(self, words: Sequence[str], metrics: Sequence[MetricSpec]) -> None:
        self.classes = words
        self.outputs = len(words)
        self.loss = BagLoss()
        self.metrics = metrics
        self.baseline = 0

    def input_targets(self, ids: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
        """Return indicators `(batch, words)`, int8; a row is missing if the input has none of the words."""
        told = torch.where((ids >= 0) & (ids < self.outputs), ids, self.outputs)
        table = torch.zeros((len(ids), self.outputs + 1), dtype=torch.int8)
        table.scatter_(1, told, 1)
        table = table[:, : self.outputs]
        return torch.where(table.any(dim=1, keepdim=True), table, MISSING)

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """Return the most probable words with their probabilities, per input."""
        values, codes = torch.softmax(outputs.float(), dim=-1).topk(min(TOLD_WORDS, self.outputs))
        return [
            Prediction([self.classes[c] for c in row], {self.classes[c]: p for c, p in zip(row, v, strict=True)})
            for row, v in zip(codes.tolist(), values.tolist(), strict=True)
        ]

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Return outputs that rank words by frequency, in every row."""
        return -torch.arange(self.outputs, dtype=torch.float32).expand(examples, -1)

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return indicators of the k most probable words, with k the number of words in the input."""
        held = targets.sum(dim=1, keepdim=True)
        rank = outputs.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return (rank < held).float(), targets.long()
