"""The encoder `transformer-features`: from texts to states of a frozen transformer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import Features, FeatureShape, MtlError
from mtl_core.data import Encoder
from mtl_transformers.frozen_model import FrozenModel
from mtl_transformers.state_cache import StateCache
from mtl_transformers.subword_encoder import SubwordEncoder, SubwordText

Item = NDArray[np.float16]
"""States of words, `(words, width)`, float16."""
BATCH_SIZE = 64
TEXTS_PER_TRANSACTION = 1024
"""Number of texts per write to the cache."""
FLOAT16_MAX = 65504.0
"""The largest float16 number."""


@dataclass(frozen=True)
class StateBatch:
    """A batch of texts as padded states.

    Attributes:
        values: `(batch, words, width)`, float32; zero for padding.
        lengths: `(batch,)`, int64: number of words of each text, at least 1.
    """

    values: torch.Tensor
    lengths: torch.Tensor

    def to(self, device: torch.device) -> StateBatch:
        """Move the batch to a device."""
        return StateBatch(self.values.to(device), self.lengths.to(device))


class PrecomputedFeatures(nn.Module):
    """An input layer that returns states as features.

    Args:
        width: Size of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = FeatureShape(width, sequence=True)

    def forward(self, batch: StateBatch) -> Features:
        """Return features `(batch, words, width)` and their mask."""
        positions = torch.arange(batch.values.shape[1], device=batch.values.device)
        return Features(batch.values, positions < batch.lengths.unsqueeze(1))


class FeaturesEncoder(Encoder[SubwordText, Item]):
    """An encoder whose items are states of a frozen transformer, computed once per text.

    Args:
        model: The transformer.
        subword_encoder: The subword encoder, which aligns the model's subwords with words.
        cache_dir: The folder of the cache; None disables the cache.
        strict: Whether it is an error if the folder is not writable, because the user has set it.
        max_tokens: Maximum number of subwords, including special tokens.
    """

    def __init__(
        self,
        model: FrozenModel,
        subword_encoder: SubwordEncoder,
        cache_dir: Path | None,
        strict: bool,
        max_tokens: int,
    ) -> None:
        self._model = model
        self._subword_encoder = subword_encoder
        self._cache_dir = cache_dir
        self._strict = strict
        self._max_tokens = max_tokens
        self._expected_identity: dict[str, Any] | None = None

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """The values on which states depend, besides the text.

        Raises:
            MtlError: If the model is not the one that the run was trained with.
        """
        self._model.validate_layers()
        identity = {**self._model.identity, "max_tokens": self._max_tokens}
        if self._expected_identity is not None and identity != self._expected_identity:
            raise MtlError(
                "encoder.model: this is not the model that the run was trained with; its states are not compatible"
            )
        return identity

    @property
    def _cache(self) -> StateCache:
        # The next run needs the states of a run's texts again; texts of predictions are not stored, for privacy.
        return StateCache(None if self._expected_identity else self._cache_dir, self._identity, self._strict)

    def parse(self, inputs: Sequence[Any]) -> list[SubwordText]:
        """Tokenize texts, or lists of words, to subwords.

        Raises:
            MtlError: If an input is neither, or there is no such model.
        """
        return self._subword_encoder.parse(inputs)

    def is_empty(self, parsed: SubwordText) -> bool:
        """Return whether a text has no subwords."""
        return self._subword_encoder.is_empty(parsed)

    def fit(self, parsed: Iterable[SubwordText]) -> None:
        """Validate the model; nothing is fitted to the training inputs."""
        for _ in parsed:
            pass
        self._expected_identity = None
        self.__dict__.pop("_identity", None)
        assert self._identity  # noqa: S101  raises for a wrong model or layer

    def encode(self, parsed: Sequence[SubwordText]) -> list[Item]:
        """Look up states in the cache, and compute missing ones; equal texts share their states."""
        distinct_texts = {text.text: text for text in parsed}
        texts = list(distinct_texts.values())
        cached_states = self._cache.load(list(distinct_texts), self._model.width)
        states = {texts[index].text: value for index, value in cached_states.items()}
        missing_texts = sorted((text for text in texts if text.text not in states), key=lambda text: len(text.ids))
        for start in range(0, len(missing_texts), TEXTS_PER_TRANSACTION):
            chunk = missing_texts[start : start + TEXTS_PER_TRANSACTION]
            new_states = dict(zip((text.text for text in chunk), self._compute_states(chunk), strict=True))
            self._cache.store(new_states)
            states |= new_states
        return [states[text.text] for text in parsed]

    def _compute_states(self, texts: Sequence[SubwordText]) -> Iterator[Item]:
        """Compute states in batches of texts; the texts are sorted by length."""
        special = self._model.tokenizer.special
        for start in range(0, len(texts), BATCH_SIZE):
            batch_texts = texts[start : start + BATCH_SIZE]
            batch = self._subword_encoder.collate(self._subword_encoder.encode(batch_texts))
            ids, mask = special.add_special_tokens(batch.ids, batch.lengths)
            states = self._model.compute_states(ids, None if bool(mask.all()) else mask)
            for row, text in enumerate(batch_texts):
                token_states = states[row, len(special.prefix) :].numpy()
                yield _average_per_word(token_states, self._subword_encoder.subword_to_token(text))

    def length(self, item: Item) -> int:
        """Return the number of words."""
        return len(item)

    def collate(self, items: Sequence[Item]) -> StateBatch:
        """Pad to the longest item."""
        lengths = [len(item) for item in items]
        values = np.zeros((len(items), max(lengths), items[0].shape[1]), dtype=np.float32)
        for row, item in enumerate(items):
            values[row, : len(item)] = item
        return StateBatch(torch.from_numpy(values), torch.tensor(lengths))

    def input_layer(self) -> nn.Module:
        """Build a module that returns the states unchanged."""
        return PrecomputedFeatures(self._model.width)

    def unload(self) -> None:
        """Unload the transformer."""
        self._model.unload()

    def words(self, parsed: SubwordText) -> list[str]:
        """Return the words of the input: a list as it is, a text split into words (see `align_words`)."""
        return self._subword_encoder.words(parsed)

    def token_to_word(self, parsed: SubwordText) -> list[int]:
        """Return the indices of the words with subwords after truncation; empty for an input without subwords."""
        return self._subword_encoder.token_to_word(parsed)

    def tokens(self, parsed: SubwordText) -> list[str]:
        """Return the words that the network reads; one unknown word if there are none."""
        return self._subword_encoder.tokens(parsed)

    def state(self) -> dict[str, Any]:
        """Return the identity of the transformer."""
        return {"model": self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the identity of the transformer."""
        self._expected_identity = dict(state["model"])
        self.__dict__.pop("_identity", None)


def _average_per_word(states: NDArray[np.float32], subword_to_token: Sequence[int]) -> Item:
    """Average states over the subwords of each word, `(words, width)`, float16.

    Args:
        states: `(subwords or more, width)`, float32.
        subword_to_token: The word index of each subword; non-decreasing, without gaps.
    """
    starts = np.flatnonzero(np.diff(subword_to_token, prepend=-1))
    sums = np.add.reduceat(states[: len(subword_to_token)], starts, axis=0)
    means = sums / np.diff([*starts, len(subword_to_token)])[:, None]
    return means.clip(-FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
