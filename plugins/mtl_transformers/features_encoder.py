"""From texts to states of a frozen transformer."""

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
"""States of words, `(words, width)`."""
TEXTS_AT_ONCE = 64
TEXTS_A_TRANSACTION = 1024
"""Texts that are computed before they are written to the cache."""
LARGEST = 65504.0
"""The largest number of 16 bits."""


class FeaturesEncoder(Encoder[PieceText, Item]):
    """Asks a frozen transformer once for each text.

    Args:
        model: The transformer.
        reader: Divides texts into the model's pieces, and knows their words.
        folder: Where states are kept; None keeps none.
        asked_for: Whether the folder was asked for, so that it must be writable.
        max_tokens: Where texts are cut.
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
        """What states depend on besides the text.

        Raises:
            MtlError: If the model is not the one that the run was trained with.
        """
        self._model.check()
        found = {**self._model.identity, "max_tokens": self._max_tokens}
        if self._expected is not None and found != self._expected:
            raise MtlError(
                "encoder.model: this is not the model that the run was trained with; its states would mean "
                "something else"
            )
        return found

    @property
    def _cache(self) -> StateCache:
        # A run's texts are read again by the next run; texts to predict for are nobody's business.
        return StateCache(None if self._expected else self._folder, self._identity, self._asked_for)

    def parse(self, inputs: Sequence[Any]) -> list[PieceText]:
        """Divide texts, or the words of lists, into pieces.

        Raises:
            MtlError: If an input is neither, or there is no such model.
        """
        return self._reader.parse(inputs)

    def is_empty(self, parsed: PieceText) -> bool:
        """Whether there are no pieces."""
        return self._reader.is_empty(parsed)

    def fit(self, parsed: Iterable[PieceText]) -> None:
        """Nothing is learned from training inputs; only the model is looked at."""
        for _ in parsed:
            pass
        self._expected = None
        self.__dict__.pop("_identity", None)
        assert self._identity  # noqa: S101  raises for a wrong model or layer

    def encode(self, parsed: Sequence[PieceText]) -> list[Item]:
        """Look states up, and compute those that are not there; equal texts share them."""
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
        """Ask the model, some texts of about one length at a time."""
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
        """Words."""
        return len(item)

    def collate(self, items: Sequence[Item]) -> StateBatch:
        """Pad to the longest."""
        lengths = [len(item) for item in items]
        values = np.zeros((len(items), max(lengths), items[0].shape[1]), dtype=np.float32)
        for row, item in enumerate(items):
            values[row, : len(item)] = item
        return StateBatch(torch.from_numpy(values), torch.tensor(lengths))

    def input_layer(self) -> nn.Module:
        """States as they are."""
        return States(self._model.width)

    def release(self) -> None:
        """Let the transformer go."""
        self._model.release()

    def words(self, parsed: PieceText) -> list[str]:
        """The words that were given; of a text, letters with apostrophes, runs of signs, and single ideographs."""
        return self._reader.words(parsed)

    def places(self, parsed: PieceText) -> list[int]:
        """The words up to the cut that are made of pieces; none where there are none."""
        return self._reader.places(parsed)

    def tokens(self, parsed: PieceText) -> list[str]:
        """The words that are read; one unknown word where there are none."""
        return self._reader.tokens(parsed)

    def state(self) -> dict[str, Any]:
        """Which transformer gave the states, and how it read."""
        return {"model": self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over which transformer is needed."""
        self._expected = dict(state["model"])
        self.__dict__.pop("_identity", None)


def _of_words(states: NDArray[np.float32], pieces: Sequence[int]) -> Item:
    """Means over the pieces of each word, `(words, width)`.

    Args:
        states: `(pieces or more, width)`.
        pieces: Of each piece, the word; rising, none left out.
    """
    starts = np.flatnonzero(np.diff(pieces, prepend=-1))
    sums = np.add.reduceat(states[: len(pieces)], starts, axis=0)
    means = sums / np.diff([*starts, len(pieces)])[:, None]
    return means.clip(-LARGEST, LARGEST).astype(np.float16)
