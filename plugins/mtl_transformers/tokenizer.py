"""Dividing texts into the pieces that a model reads."""

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
"""So many characters are tried first for each piece that is wanted."""
MARGIN = 8
"""Pieces beyond the cut that must be there, so that the text's end is too far away to change those before it."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class SpecialIds:
    """Ids with a meaning of their own.

    Attributes:
        before: The marks that a text begins with, such as [CLS].
        after: The marks that it ends with, such as [SEP].
        mask: Stands for a hidden piece; None if there is no such id.
        unknown: Stands for what cannot be divided into known pieces.
        all: All of them, padding too.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    mask: int | None
    unknown: int
    all: frozenset[int]

    @property
    def marks(self) -> int:
        """How many marks stand around a text."""
        return len(self.before) + len(self.after)

    def around(self, ids: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put marks around the pieces of each text.

        Args:
            ids: `(batch, length)`, int64, padded.
            lengths: `(batch,)`: pieces of each text.

        Returns:
            Ids `(batch, length + marks)`, and a mask of that shape, bool, of where they are no padding.
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
    """A model's tokenizer, without its marks: texts to ids of pieces, and where each piece stands.

    Args:
        tokenizer: Neither cuts nor pads.
        special: Its special ids.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialIds) -> None:
        self.tokenizer = tokenizer
        self.special = special

    @classmethod
    def of_folder(cls, folder: Path) -> PieceTokenizer:
        """Read a model's tokenizer.

        Raises:
            MtlError: If there is none, or it has no fast form.
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
            raise MtlError(f"{folder}: the tokenizer has no fast form; expected tokenizer.json")
        own = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
        own.no_truncation()
        own.no_padding()
        mask, unknown = loaded.mask_token_id, loaded.unk_token_id
        return cls(own, _special(own, mask, unknown, frozenset(loaded.all_special_ids)))

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> PieceTokenizer:
        """Make it again from what `state` gave."""
        special = SpecialIds(
            tuple(state["before"]),
            tuple(state["after"]),
            state["mask"],
            state["unknown"],
            frozenset(state["special"]),
        )
        return cls(Tokenizer.from_str(state["json"]), special)

    def state(self) -> dict[str, Any]:
        """All of it, as JSON."""
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
        """The first pieces of a text, `(pieces,)`."""
        return np.array(self._encoded(text, limit).ids[:limit], dtype=np.int32)

    def spans(self, text: str, limit: int) -> list[tuple[int, int]]:
        """Where each of these pieces begins and ends, in characters."""
        spans: list[tuple[int, int]] = self._encoded(text, limit).offsets[:limit]
        return spans

    def _encoded(self, text: str, limit: int) -> Encoding:
        """Divide a text; of a long one, as much of it as the wanted pieces need."""
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
        except (TypeError, UnicodeEncodeError):  # half of a character, which UTF-8 cannot say
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
"""Files that a tokenizer can be made of."""


def _special(tokenizer: Tokenizer, mask: int | None, unknown: int | None, every: frozenset[int]) -> SpecialIds:
    """Find the marks around a text by marking one."""
    marked = tokenizer.encode("a")
    plain = [place for place, mark in enumerate(marked.special_tokens_mask) if not mark]
    first, last = (plain[0], plain[-1]) if plain else (len(marked.ids), len(marked.ids) - 1)
    known = unknown if unknown is not None else mask if mask is not None else 0
    return SpecialIds(tuple(marked.ids[:first]), tuple(marked.ids[last + 1 :]), mask, known, every)
