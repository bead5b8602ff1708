"""The subword encoder of a pretrained transformer."""

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
"""Ids of subwords, `(subwords,)`, int32."""


@dataclass(frozen=True, slots=True, eq=False)
class PieceText:
    """A text as subwords.

    Attributes:
        text: The text; or its words, if the input is a list of words.
        ids: `(subwords,)`, int32: the subwords after truncation.
    """

    text: str | tuple[str, ...]
    ids: NDArray[np.int32]


class PieceEncoder(Encoder[PieceText, Item]):
    """An encoder that tokenizes texts with the tokenizer of a model.

    Args:
        model: The path or name of the model.
        max_tokens: Maximum number of subwords, including special tokens.
        tune: Whether the word embedding table is trained.
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
        """The folder of the model; None after `restore`, which does not need it."""
        return None if self._restored is not None else find_model(self._name)

    @cached_property
    def _config(self) -> dict[str, Any]:
        if self._restored is not None:
            return dict(self._restored["config"])
        assert self._folder is not None  # noqa: S101  only a restored encoder has no folder
        config = read_config(self._folder)
        check_weights(self._folder)
        return config

    @cached_property
    def _tokenizer(self) -> PieceTokenizer:
        if self._restored is not None:
            return PieceTokenizer.restored(self._restored["tokenizer"])
        assert self._folder is not None  # noqa: S101  only a restored encoder has no folder
        self._check_length()
        return PieceTokenizer.of_folder(self._folder)

    def _check_length(self) -> None:
        config = config_of(self._config)
        positions = getattr(config, "max_position_embeddings", None)
        if not isinstance(positions, int) or positions <= 0:
            return
        if config.model_type in _AFTER_PADDING:  # positions start after that of the padding
            positions -= (config.pad_token_id or 0) + 1
        if self._max_tokens > positions:
            raise MtlError(
                f"encoder.max_tokens: {self._max_tokens}, but the model '{self._name}' supports at most {positions}"
            )

    @property
    def _limit(self) -> int:
        return max(1, self._max_tokens - self._tokenizer.special.marks)

    def parse(self, inputs: Sequence[Any]) -> list[PieceText]:
        """Tokenize texts, or lists of words, to subwords.

        Raises:
            MtlError: If an input is neither, or the model's tokenizer cannot be loaded.
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
        """Return whether a text has no subwords."""
        return len(parsed.ids) == 0

    def fit(self, parsed: Iterable[PieceText]) -> None:
        """Count the training subwords: `vocabulary` contains them by descending frequency."""
        counts = np.zeros(self._tokenizer.tokenizer.get_vocab_size(), dtype=np.int64)
        for text in parsed:
            np.add.at(counts, text.ids, 1)
        counts[[place for place in self._tokenizer.special.all if place < len(counts)]] = 0
        order = np.argsort(-counts, kind="stable")
        self._known = order[counts[order] > 0].tolist()
        self.__dict__.pop("_places", None)

    def encode(self, parsed: Sequence[PieceText]) -> list[Item]:
        """Return the subword ids; a text without subwords becomes one unknown token."""
        unknown = np.array([self._tokenizer.special.unknown], dtype=np.int32)
        return [text.ids if len(text.ids) else unknown for text in parsed]

    def length(self, item: Item) -> int:
        """Return the number of subwords."""
        return len(item)

    def collate(self, items: Sequence[Item]) -> PieceBatch:
        """Pad to the longest item."""
        lengths = [len(item) for item in items]
        ids = np.zeros((len(items), max(lengths)), dtype=np.int64)
        for row, item in enumerate(items):
            ids[row, : len(item)] = item
        return PieceBatch(torch.from_numpy(ids), torch.tensor(lengths))

    def input_layer(self) -> nn.Module:
        """Build the word embedding table of the model."""
        return PieceEmbedding(Pretrained(self._config, self._folder), self._tokenizer.special, self._tune)

    def words(self, parsed: PieceText) -> list[str]:
        """Return the words of the input: a list as it is, a text split into words (see `read_words`)."""
        return self._read(parsed).words

    def places(self, parsed: PieceText) -> list[int]:
        """Return the indices of the words with subwords after truncation; empty for an input without subwords."""
        return self._read(parsed).places

    def tokens(self, parsed: PieceText) -> list[str]:
        """Return the words that the network reads; one unknown word if there are none, as in `encode`."""
        return super().tokens(parsed) or ["<unknown>"]

    def pieces(self, parsed: PieceText) -> list[int]:
        """Return the token index of each subword."""
        return self._read(parsed).pieces or [0]

    def _read(self, parsed: PieceText) -> Reading:
        """Align words and subwords; cache the last text, since callers request its parts one after the other."""
        if self._last is None or self._last[0] is not parsed:
            text = parsed.text if isinstance(parsed.text, str) else joined(parsed.text)[0]
            spans = self._tokenizer.spans(text, self._limit) if len(parsed.ids) else []
            self._last = parsed, read_words(parsed.text, spans)
        return self._last[1]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The subwords of the training texts, most frequent first."""
        return [str(self._tokenizer.tokenizer.id_to_token(place)) for place in self._known]

    @cached_property
    def _places(self) -> torch.Tensor:
        """Index of each subword id in `vocabulary`, `(ids,)`, int64; -1 if it is not in the vocabulary."""
        places = torch.full((self._tokenizer.tokenizer.get_vocab_size(),), -1, dtype=torch.int64)
        places[self._known] = torch.arange(len(self._known))
        return places

    def token_ids(self, inputs: PieceBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`, int64; -1 for padding and OOV subwords."""
        return self._places[inputs.ids].masked_fill(~inputs.mask, -1)

    def hide(self, inputs: PieceBatch, hidden: torch.Tensor) -> PieceBatch:
        """Replace masked subwords by the model's mask token, or by its unknown token if it has none."""
        special = self._tokenizer.special
        instead = special.unknown if special.mask is None else special.mask
        return replace(inputs, ids=inputs.ids.masked_fill(hidden & inputs.mask, instead))

    def state(self) -> dict[str, Any]:
        """Return tokenizer, config and vocabulary."""
        return {"tokenizer": self._tokenizer.state(), "config": self._config, "known": self._known}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore tokenizer, config and vocabulary; the files of the model are no longer needed."""
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
