"""An encoder of words that needs nothing else, for auxiliary tasks to be tried with."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.data.encoder import Encoder

Words = tuple[str, ...]


class SampleWords(Encoder[Words, list[int]]):
    """Divides texts at white space, and numbers the words that it was fitted on."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def parse(self, inputs: Sequence[Any]) -> list[Words]:
        """Divide."""
        return [tuple(str(value).split()) for value in inputs]

    def fit(self, parsed: Iterable[Words]) -> None:
        """Count."""
        counts = Counter(word for words in parsed for word in words)
        self._words = [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]

    def encode(self, parsed: Sequence[Words]) -> list[list[int]]:
        """Places in the vocabulary; the number of all words for one that is not in it."""
        places = {word: place for place, word in enumerate(self._words)}
        return [[places.get(word, len(places)) for word in words] for words in parsed]

    def length(self, item: list[int]) -> int:
        """Words."""
        return len(item)

    def collate(self, items: Sequence[list[int]]) -> torch.Tensor:
        """`(batch, length)`, int64; -1 at padding."""
        longest = max(map(len, items))
        return torch.tensor([[*item, *[-1] * (longest - len(item))] for item in items])

    def input_layer(self) -> nn.Module:
        """None: these batches are looked at, not read."""
        raise NotImplementedError("this encoder is for labels alone")

    def words(self, parsed: Words) -> list[str]:
        """The words."""
        return list(parsed)

    @property
    def vocabulary(self) -> Sequence[str]:
        """The words that it was fitted on, frequent ones first."""
        return self._words

    def token_ids(self, inputs: torch.Tensor) -> torch.Tensor:
        """The batch itself; -1 for unknown words."""
        return torch.where(inputs < len(self._words), inputs, -1)

    def state(self) -> dict[str, Any]:
        """The words."""
        return {"words": self._words}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take them over."""
        self._words = list(state["words"])
