"""The encoder `transformer-features`: from texts to states of a frozen transformer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import MtlError
from mtl_core.data.encoder import Encoder
from mtl_transformers.features_layer import StateBatch, States
from mtl_transformers.frozen_model import FrozenModel
from mtl_transformers.piece_encoder import PieceEncoder, PieceText
from mtl_transformers.state_cache import StateCache

Item = NDArray[np.float16]
"""States of words, `(words, width)`, float16."""
TEXTS_AT_ONCE = 64
TEXTS_A_TRANSACTION = 1024
"""Number of texts per write to the cache."""
LARGEST = 65504.0
"""The largest float16 number."""


class FeaturesEncoder(Encoder[PieceText, Item]):
    """An encoder whose items are states of a frozen transformer, computed once per text.

    Args:
        model: The transformer.
        reader: The subword encoder, which aligns the model's subwords with words.
        folder: The folder of the cache; None disables the cache.
        asked_for: Whether the user has set the folder, so that it is an error if it is not writable.
        max_tokens: Maximum number of subwords, including special tokens.
    """

    def __init__(
        self, model: FrozenModel, reader: PieceEncoder, folder: Path | None, asked_for: bool, max_tokens: int
    ) -> None:
        self._model = model
        self._reader = reader
        self._folder = folder
        self._asked_for = asked_for
        self._max_tokens = max_tokens
        self._expected: dict[str, Any] | None = None

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """The values on which states depend, besides the text.

        Raises:
            MtlError: If the model is not the one that the run was trained with.
        """
        self._model.check()
        found = {**self._model.identity, "max_tokens": self._max_tokens}
        if self._expected is not None and found != self._expected:
            raise MtlError(
                "encoder.model: this is not the model that the run was trained with; its states are not compatible"
            )
        return found

    @property
    def _cache(self) -> StateCache:
        # The next run needs the states of a run's texts again; texts of predictions are not stored, for privacy.
        return StateCache(None if self._expected else self._folder, self._identity, self._asked_for)

    def parse(self, inputs: Sequence[Any]) -> list[PieceText]:
        """Tokenize texts, or lists of words, to subwords.

        Raises:
            MtlError: If an input is neither, or there is no such model.
        """
        return self._reader.parse(inputs)

    def is_empty(self, parsed: PieceText) -> bool:
        """Return whether a text has no subwords."""
        return self._reader.is_empty(parsed)

    def fit(self, parsed: Iterable[PieceText]) -> None:
        """Validate the model; nothing is fitted to the training inputs."""
        for _ in parsed:
            pass
        self._expected = None
        self.__dict__.pop("_identity", None)
        assert self._identity  # noqa: S101  raises for a wrong model or layer

    def encode(self, parsed: Sequence[PieceText]) -> list[Item]:
        """Look up states in the cache, and compute missing ones; equal texts share their states."""
        first = {text.text: text for text in parsed}
        texts = list(first.values())
        known = self._cache.find(list(first), self._model.width)
        states = {texts[place].text: value for place, value in known.items()}
        missing = sorted((text for text in texts if text.text not in states), key=lambda text: len(text.ids))
        for start in range(0, len(missing), TEXTS_A_TRANSACTION):
            some = missing[start : start + TEXTS_A_TRANSACTION]
            fresh = dict(zip((text.text for text in some), self._computed(some), strict=True))
            self._cache.keep(fresh)
            states |= fresh
        return [states[text.text] for text in parsed]

    def _computed(self, texts: Sequence[PieceText]) -> Iterator[Item]:
        """Compute states in batches of texts; the texts are sorted by length."""
        special = self._model.tokenizer.special
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            chosen = texts[start : start + TEXTS_AT_ONCE]
            batch = self._reader.collate(self._reader.encode(chosen))
            ids, mask = special.around(batch.ids, batch.lengths)
            states = self._model.states(ids, None if bool(mask.all()) else mask)
            for row, text in enumerate(chosen):
                own = states[row, len(special.before) :].numpy()
                yield _of_words(own, self._reader.pieces(text))

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
        return States(self._model.width)

    def release(self) -> None:
        """Unload the transformer."""
        self._model.release()

    def words(self, parsed: PieceText) -> list[str]:
        """Return the words of the input: a list as it is, a text split into words (see `read_words`)."""
        return self._reader.words(parsed)

    def places(self, parsed: PieceText) -> list[int]:
        """Return the indices of the words with subwords after truncation; empty for an input without subwords."""
        return self._reader.places(parsed)

    def tokens(self, parsed: PieceText) -> list[str]:
        """Return the words that the network reads; one unknown word if there are none."""
        return self._reader.tokens(parsed)

    def state(self) -> dict[str, Any]:
        """Return the identity of the transformer."""
        return {"model": self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the identity of the transformer."""
        self._expected = dict(state["model"])
        self.__dict__.pop("_identity", None)


def _of_words(states: NDArray[np.float32], pieces: Sequence[int]) -> Item:
    """Average states over the subwords of each word, `(words, width)`, float16.

    Args:
        states: `(subwords or more, width)`, float32.
        pieces: The word index of each subword; non-decreasing, without gaps.
    """
    starts = np.flatnonzero(np.diff(pieces, prepend=-1))
    sums = np.add.reduceat(states[: len(pieces)], starts, axis=0)
    means = sums / np.diff([*starts, len(pieces)])[:, None]
    return means.clip(-LARGEST, LARGEST).astype(np.float16)
