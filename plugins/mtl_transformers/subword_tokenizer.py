"""The subword tokenizer of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from mtl_core import MtlError
from mtl_core.data import replace_surrogates
from mtl_transformers.silence_transformers import silence_transformers
from mtl_transformers.special_tokens import SpecialTokenIds, find_special_ids

CHARACTERS_PER_SUBWORD = 16
"""Initial number of characters to tokenize per requested subword."""
MARGIN_SUBWORDS = 8
"""Minimum number of subwords after the last requested one, so that the end of the prefix cannot change it."""
_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
)
"""Files from which a tokenizer can be loaded."""


class SubwordTokenizer:
    """The tokenizer of a model, without special tokens: from texts to subword ids and character offsets.

    Args:
        tokenizer: The tokenizer, without truncation and padding.
        special: The ids of the special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialTokenIds) -> None:
        self.tokenizer = tokenizer
        self.special = special

    @classmethod
    def from_folder(cls, folder: Path) -> SubwordTokenizer:
        """Load the tokenizer of a model.

        Raises:
            MtlError: If there is none, or it is not a fast tokenizer.
        """
        from transformers import AutoTokenizer

        if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
            raise MtlError(f"{folder}: the model has no tokenizer; expected tokenizer.json")
        try:
            with silence_transformers():
                pretrained_tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise MtlError(f"{folder}: the tokenizer cannot be read: {error}") from error
        if not getattr(pretrained_tokenizer, "is_fast", False):
            raise MtlError(f"{folder}: the model has no fast tokenizer; expected tokenizer.json")
        tokenizer = Tokenizer.from_str(pretrained_tokenizer.backend_tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        mask_id, unknown_id = pretrained_tokenizer.mask_token_id, pretrained_tokenizer.unk_token_id
        return cls(
            tokenizer,
            find_special_ids(tokenizer, mask_id, unknown_id, frozenset(pretrained_tokenizer.all_special_ids)),
        )

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SubwordTokenizer:
        """Restore the tokenizer from the result of `state`."""
        special = SpecialTokenIds(
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
            "before": list(special.prefix),
            "after": list(special.suffix),
            "mask": special.mask,
            "unknown": special.unknown,
            "special": sorted(special.all),
        }

    def encode_ids(self, text: str, limit: int) -> NDArray[np.int32]:
        """Return the ids of the first `limit` subwords of a text, `(subwords,)`, int32."""
        return np.array(self._encode_prefix(text, limit).ids[:limit], dtype=np.int32)

    def compute_spans(self, text: str, limit: int) -> list[tuple[int, int]]:
        """Return the character offsets (start, end) of the first `limit` subwords of a text."""
        spans: list[tuple[int, int]] = self._encode_prefix(text, limit).offsets[:limit]
        return spans

    def _encode_prefix(self, text: str, limit: int) -> Encoding:
        """Tokenize a text; of a long text, only the prefix that contains the requested subwords."""
        n_characters = limit * CHARACTERS_PER_SUBWORD
        while len(text) > n_characters:
            prefix = text[:n_characters]
            space = max(prefix.rfind(" "), prefix.rfind("\n"))
            encoding = self._encode_text(prefix[: space if space > n_characters // 2 else n_characters])
            if len(encoding.ids) >= limit + MARGIN_SUBWORDS:
                return encoding
            n_characters *= 4
        return self._encode_text(text)

    def _encode_text(self, text: str) -> Encoding:
        try:
            return self.tokenizer.encode(text, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError):  # a lone surrogate, which UTF-8 cannot encode
            return self.tokenizer.encode(replace_surrogates(text), add_special_tokens=False)
