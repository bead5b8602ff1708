"""A minimal word encoder for the checks of auxiliary tasks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.data.encoder import Encoder

Words = tuple[str, ...]


class SampleWordEncoder(Encoder[Words, list[int]]):
    """Splits texts at white space, and encodes words as vocabulary indices."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def parse(self, inputs: Sequence[Any]) -> list[Words]:
        """Split texts at white space."""
        return [tuple(str(value).split()) for value in inputs]

    def fit(self, parsed: Iterable[Words]) -> None:
        """Build the vocabulary, most frequent words first."""
        counts = Counter(word for words in parsed for word in words)
        self._words = [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]

    def encode(self, parsed: Sequence[Words]) -> list[list[int]]:
        """Return vocabulary indices; the vocabulary size for words outside it."""
        indices = {word: index for index, word in enumerate(self._words)}
        return [[indices.get(word, len(indices)) for word in words] for words in parsed]

    def length(self, item: list[int]) -> int:
        """Return the number of words."""
        return len(item)

    def collate(self, items: Sequence[list[int]]) -> torch.Tensor:
        """Return `(batch, length)`, int64; -1 at padding."""
        longest = max(map(len, items))
        return torch.tensor([[*item, *[-1] * (longest - len(item))] for item in items])

    def input_layer(self) -> nn.Module:
        """Raise `NotImplementedError`: the batches are not fed into a network."""
        raise NotImplementedError("this encoder is for deriving labels only")

    def words(self, parsed: Words) -> list[str]:
        """Return the words."""
        return list(parsed)

    @property
    def vocabulary(self) -> Sequence[str]:
        """The words that it was fitted on, most frequent first."""
        return self._words

    def token_ids(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the batch, with -1 for words outside the vocabulary."""
        return torch.where(inputs < len(self._words), inputs, -1)

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"words": self._words}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Set the vocabulary."""
        self._words = list(state["words"])
