"""From texts to pieces of words, and from pieces to rows of a model's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import MtlError
from mtl_core.data.encoder import Encoder
from mtl_transformers.find_model import find_model
from mtl_transformers.model_files import check_weights, config_of, read_config
from mtl_transformers.model_shape import Pretrained
from mtl_transformers.piece_layer import PieceBatch, PieceEmbedding
from mtl_transformers.tokenizer import PieceTokenizer
from mtl_transformers.words import Reading, joined, read_words

Item = NDArray[np.int32]
"""Ids of pieces, `(pieces,)`."""


@dataclass(frozen=True, slots=True, eq=False)
class PieceText:
    """A text in pieces.

    Attributes:
        text: The text; or its words, where they were given.
        ids: `(pieces,)`, int32: the pieces up to the cut.
    """

    text: str | tuple[str, ...]
    ids: NDArray[np.int32]


class PieceEncoder(Encoder[PieceText, Item]):
    """Divides texts as a model does.

    Args:
        model: The model's folder or name.
        max_tokens: Where texts are cut, marks counted.
        tune: Whether training moves the table.
    """

    def __init__(self, model: Path | str, max_tokens: int, tune: bool) -> None:
        self._name = model
        self._max_tokens = max_tokens
        self._tune = tune
        self._known: list[int] = []
        self._restored: Mapping[str, Any] | None = None
        self._last: tuple[PieceText, Reading] | None = None

    @cached_property
    def _folder(self) -> Path | None:
        """The model's folder; None if the run brings all that is needed of it."""
        return None if self._restored is not None else find_model(self._name)

    @cached_property
    def _config(self) -> dict[str, Any]:
        if self._restored is not None:
            return dict(self._restored["config"])
        assert self._folder is not None  # noqa: S101  a model that was not restored has a folder
        config = read_config(self._folder)
        check_weights(self._folder)
        return config

    @cached_property
    def _tokenizer(self) -> PieceTokenizer:
        if self._restored is not None:
            return PieceTokenizer.restored(self._restored["tokenizer"])
        assert self._folder is not None  # noqa: S101  a model that was not restored has a folder
        self._check_length()
        return PieceTokenizer.of_folder(self._folder)

    def _check_length(self) -> None:
        config = config_of(self._config)
        positions = getattr(config, "max_position_embeddings", None)
        if not isinstance(positions, int) or positions <= 0:
            return
        if config.model_type in _AFTER_PADDING:  # positions are counted from the one after padding's
            positions -= (config.pad_token_id or 0) + 1
        if self._max_tokens > positions:
            raise MtlError(
                f"encoder.max_tokens: {self._max_tokens}, but the model '{self._name}' reads {positions} at most"
            )

    @property
    def _limit(self) -> int:
        return max(1, self._max_tokens - self._tokenizer.special.marks)

    def parse(self, inputs: Sequence[Any]) -> list[PieceText]:
        """Divide texts, or the words of lists, into pieces.

        Raises:
            MtlError: If an input is neither, or the model's tokenizer cannot be read.
        """
        values = [_checked(value) for value in inputs]
        tokenizer, limit = self._tokenizer, self._limit
        nothing = np.zeros(0, dtype=np.int32)
        texts = (value if isinstance(value, str) else joined(value)[0] for value in values)
        return [
            PieceText(value, nothing if not text or text.isspace() else tokenizer.ids(text, limit))
            for value, text in zip(values, texts, strict=True)
        ]

    def is_empty(self, parsed: PieceText) -> bool:
        """Whether there are no pieces."""
        return len(parsed.ids) == 0

    def fit(self, parsed: Iterable[PieceText]) -> None:
        """Count the training pieces: `vocabulary` are those, in the order of their frequency."""
        counts = np.zeros(self._tokenizer.tokenizer.get_vocab_size(), dtype=np.int64)
        for text in parsed:
            np.add.at(counts, text.ids, 1)
        counts[[place for place in self._tokenizer.special.all if place < len(counts)]] = 0
        order = np.argsort(-counts, kind="stable")
        self._known = order[counts[order] > 0].tolist()
        self.__dict__.pop("_places", None)

    def encode(self, parsed: Sequence[PieceText]) -> list[Item]:
        """Give the pieces; a text without any becomes one unknown piece."""
        unknown = np.array([self._tokenizer.special.unknown], dtype=np.int32)
        return [text.ids if len(text.ids) else unknown for text in parsed]

    def length(self, item: Item) -> int:
        """Pieces."""
        return len(item)

    def collate(self, items: Sequence[Item]) -> PieceBatch:
        """Pad to the longest."""
        lengths = [len(item) for item in items]
        ids = np.zeros((len(items), max(lengths)), dtype=np.int64)
        for row, item in enumerate(items):
            ids[row, : len(item)] = item
        return PieceBatch(torch.from_numpy(ids), torch.tensor(lengths))

    def input_layer(self) -> nn.Module:
        """The model's word embedding table."""
        return PieceEmbedding(Pretrained(self._config, self._folder), self._tokenizer.special, self._tune)

    def words(self, parsed: PieceText) -> list[str]:
        """The words that were given; of a text, letters with apostrophes, runs of signs, and single ideographs."""
        return self._read(parsed).words

    def places(self, parsed: PieceText) -> list[int]:
        """The words up to the cut that are made of pieces; none where there are none."""
        return self._read(parsed).places

    def tokens(self, parsed: PieceText) -> list[str]:
        """The words that are read; one unknown word where there are none, as `encode` has it."""
        return super().tokens(parsed) or ["<unknown>"]

    def pieces(self, parsed: PieceText) -> list[int]:
        """Which of the tokens each piece belongs to."""
        return self._read(parsed).pieces or [0]

    def _read(self, parsed: PieceText) -> Reading:
        """Find words and pieces; the last text's are kept, since they are asked for one after the other."""
        if self._last is None or self._last[0] is not parsed:
            text = parsed.text if isinstance(parsed.text, str) else joined(parsed.text)[0]
            spans = self._tokenizer.spans(text, self._limit) if len(parsed.ids) else []
            self._last = parsed, read_words(parsed.text, spans)
        return self._last[1]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The pieces of the training texts, frequent ones first."""
        return [str(self._tokenizer.tokenizer.id_to_token(place)) for place in self._known]

    @cached_property
    def _places(self) -> torch.Tensor:
        """Each id's place in `vocabulary`."""
        places = torch.full((self._tokenizer.tokenizer.get_vocab_size(),), -1, dtype=torch.int64)
        places[self._known] = torch.arange(len(self._known))
        return places

    def token_ids(self, inputs: PieceBatch) -> torch.Tensor:
        """Places in `vocabulary`; -1 for padding, marks, and pieces that training never saw."""
        return self._places[inputs.ids].masked_fill(~inputs.mask, -1)

    def hide(self, inputs: PieceBatch, hidden: torch.Tensor) -> PieceBatch:
        """Put the model's mask in the place of hidden pieces, or the unknown piece if it has no mask."""
        special = self._tokenizer.special
        instead = special.unknown if special.mask is None else special.mask
        return replace(inputs, ids=inputs.ids.masked_fill(hidden & inputs.mask, instead))

    def state(self) -> dict[str, Any]:
        """Tokenizer, config and vocabulary."""
        return {"tokenizer": self._tokenizer.state(), "config": self._config, "known": self._known}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take them over; the model itself is not needed any more."""
        self._restored = {"tokenizer": state["tokenizer"], "config": state["config"]}
        self._known = list(state["known"])
        self._last = None
        for name in ("_folder", "_config", "_tokenizer", "_places"):
            self.__dict__.pop(name, None)


_AFTER_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "data2vec-text"}


def _checked(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple):
        raise MtlError(f"the encoder 'transformer' reads texts or lists of words, found {type(value).__name__}")
    for word in value:
        if not isinstance(word, str):
            raise MtlError(f"the encoder 'transformer' reads lists of words, found {type(word).__name__} in a list")
    return tuple(value)
