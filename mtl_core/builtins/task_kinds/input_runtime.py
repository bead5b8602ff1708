"""Tasks that predict the input itself, at run time."""

from collections.abc import Sequence

import torch

from mtl_core.builtins.modules import CrossEntropyLoss
from mtl_core.builtins.task_kinds.class_runtime import ClassificationKind
from mtl_core.builtins.task_kinds.losses import BagLoss
from mtl_core.data.label_space import MISSING
from mtl_core.specs import MetricSpec
from mtl_core.training.kinds import Prediction, TaskKind

TOLD_WORDS = 10
"""How many of the likeliest words a prediction names."""


class WordKind(ClassificationKind):
    """A word for each token; the baseline is the most frequent word, which is the first.

    Args:
        words: The words that are told apart, frequent ones first.
        metrics: What is measured.
        hides: Share of tokens that are hidden, and then only those are predicted; 0 predicts all and hides none.
    """

    def __init__(self, words: Sequence[str], metrics: Sequence[MetricSpec], hides: float) -> None:
        super().__init__(words, CrossEntropyLoss(0.0), [1.0] * len(words), metrics, {words[0]: 1})
        self.hides = hides

    def input_targets(self, ids: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
        """The words themselves, `(batch, length)`, int64; missing where a word is rare, or was not hidden."""
        told = ids < self.outputs
        if hidden is not None:
            told = told & hidden
        return torch.where(told, ids, MISSING)

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """The likeliest word, and the likeliest few with their probabilities."""
        values, codes = torch.softmax(outputs.float(), dim=-1).topk(min(TOLD_WORDS, self.outputs))
        return [
            Prediction(self.classes[row[0]], {self.classes[c]: p for c, p in zip(row, chances, strict=True)})
            for row, chances in zip(codes.tolist(), values.tolist(), strict=True)
        ]


class BagKind(TaskKind):
    """The set of an input's words; the baseline is the most frequent words.

    Args:
        words: The words that are told apart, frequent ones first.
        metrics: What is measured.
    """

    def __init__(self, words: Sequence[str], metrics: Sequence[MetricSpec]) -> None:
        self.classes = words
        self.outputs = len(words)
        self.loss = BagLoss()
        self.metrics = metrics
        self.baseline = 0

    def input_targets(self, ids: torch.Tensor, hidden: torch.Tensor | None) -> torch.Tensor:
        """Indicators `(batch, words)`, int8; missing throughout for an input without any of the words."""
        told = torch.where((ids >= 0) & (ids < self.outputs), ids, self.outputs)
        table = torch.zeros((len(ids), self.outputs + 1), dtype=torch.int8)
        table.scatter_(1, told, 1)
        table = table[:, : self.outputs]
        return torch.where(table.any(dim=1, keepdim=True), table, MISSING)

    def decode(self, outputs: torch.Tensor) -> list[Prediction]:
        """The likeliest few words."""
        values, codes = torch.softmax(outputs.float(), dim=-1).topk(min(TOLD_WORDS, self.outputs))
        return [
            Prediction([self.classes[c] for c in row], {self.classes[c]: p for c, p in zip(row, v, strict=True)})
            for row, v in zip(codes.tolist(), values.tolist(), strict=True)
        ]

    def baseline_outputs(self, examples: int) -> torch.Tensor:
        """Frequent words first."""
        return -torch.arange(self.outputs, dtype=torch.float32).expand(examples, -1)

    def for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict as many words as the input holds: the likeliest ones."""
        held = targets.sum(dim=1, keepdim=True)
        rank = outputs.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return (rank < held).float(), targets.long()
