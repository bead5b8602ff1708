"""The subword tokenizer of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from mtl_core import MtlError
from mtl_transformers.quiet import quiet

CHARACTERS_A_PIECE = 16
"""Initial number of characters to tokenize per requested subword."""
MARGIN = 8
"""Minimum number of subwords after the last requested one, so that the end of the prefix cannot change it."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class SpecialIds:
    """Ids of a model's special tokens.

    Attributes:
        before: The special tokens at the beginning of a text, such as [CLS].
        after: The special tokens at the end of a text, such as [SEP].
        mask: The mask token; None if the model has none.
        unknown: The unknown token.
        all: All special tokens, including padding.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    mask: int | None
    unknown: int
    all: frozenset[int]

    @property
    def marks(self) -> int:
        """Number of special tokens that are added to a text."""
        return len(self.before) + len(self.after)

    def around(self, ids: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the special tokens to the subwords of each text.

        Args:
            ids: `(batch, length)`, int64, padded.
            lengths: `(batch,)`, int64: number of subwords of each text.

        Returns:
            Ids `(batch, length + marks)`, int64, and a mask of the same shape, bool, which is False for padding.
        """
        start, stops = len(self.before), len(self.before) + lengths.unsqueeze(1)
        place = torch.arange(ids.shape[1] + self.marks)
        marked = torch.zeros(len(ids), len(place), dtype=torch.int64)
        marked[:, :start] = torch.tensor(self.before, dtype=torch.int64)
        marked[:, start : start + ids.shape[1]] = ids
        for number, mark in enumerate(self.after):
            marked[place == stops + number] = mark
        return marked, place < stops + len(self.after)


class PieceTokenizer:
    """The tokenizer of a model, without special tokens: from texts to subword ids and character offsets.

    Args:
        tokenizer: The tokenizer, without truncation and padding.
        special: The ids of the special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialIds) -> None:
        self.tokenizer = tokenizer
        self.special = special

    @classmethod
    def of_folder(cls, folder: Path) -> PieceTokenizer:
        """Load the tokenizer of a model.

        Raises:
            MtlError: If there is none, or it is not a fast tokenizer.
        """
        from transformers import AutoTokenizer

        if not any((folder / name).is_file() for name in _FILES):
            raise MtlError(f"{folder}: the model has no tokenizer; expected tokenizer.json")
        try:
            with quiet():
                loaded = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise MtlError(f"{folder}: the tokenizer cannot be read: {error}") from error
        if not getattr(loaded, "is_fast", False):
            raise MtlError(f"{folder}: the model has no fast tokenizer; expected tokenizer.json")
        own = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
        own.no_truncation()
        own.no_padding()
        mask, unknown = loaded.mask_token_id, loaded.unk_token_id
        return cls(own, _special(own, mask, unknown, frozenset(loaded.all_special_ids)))

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> PieceTokenizer:
        """Restore the tokenizer from the result of `state`."""
        special = SpecialIds(
            tuple(state["before"]),
            tuple(state["after"]),
            state["mask"],
            state["unknown"],
            frozenset(state["special"]),
        )
        return cls(Tokenizer.from_str(state["json"]), special)

    def state(self) -> dict[str, Any]:
        """Return the state of the tokenizer as a JSON-serialisable dict."""
        special = self.special
        return {
            "json": self.tokenizer.to_str(),
            "before": list(special.before),
            "after": list(special.after),
            "mask": special.mask,
            "unknown": special.unknown,
            "special": sorted(special.all),
        }

    def ids(self, text: str, limit: int) -> NDArray[np.int32]:
        """Return the ids of the first `limit` subwords of a text, `(subwords,)`, int32."""
        return np.array(self._encoded(text, limit).ids[:limit], dtype=np.int32)

    def spans(self, text: str, limit: int) -> list[tuple[int, int]]:
        """Return the character offsets (start, end) of the first `limit` subwords of a text."""
        spans: list[tuple[int, int]] = self._encoded(text, limit).offsets[:limit]
        return spans

    def _encoded(self, text: str, limit: int) -> Encoding:
        """Tokenize a text; of a long text, only the prefix that contains the requested subwords."""
        wanted = limit * CHARACTERS_A_PIECE
        while len(text) > wanted:
            beginning = text[:wanted]
            space = max(beginning.rfind(" "), beginning.rfind("\n"))
            found = self._whole(beginning[: space if space > wanted // 2 else wanted])
            if len(found.ids) >= limit + MARGIN:
                return found
            wanted *= 4
        return self._whole(text)

    def _whole(self, text: str) -> Encoding:
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):  # a lone surrogate, which UTF-8 cannot encode
            return self.tokenizer.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False)


_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
)
"""Files from which a tokenizer can be loaded."""


def _special(tokenizer: Tokenizer, mask: int | None, unknown: int | None, every: frozenset[int]) -> SpecialIds:
    """Find the special tokens around a text by encoding an example text."""
    marked = tokenizer.encode("a")
    plain = [place for place, mark in enumerate(marked.special_tokens_mask) if not mark]
    first, last = (plain[0], plain[-1]) if plain else (len(marked.ids), len(marked.ids) - 1)
    known = unknown if unknown is not None else mask if mask is not None else 0
    return SpecialIds(tuple(marked.ids[:first]), tuple(marked.ids[last + 1 :]), mask, known, every)
