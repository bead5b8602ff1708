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
from mtl_core.data import Encoder, validate_text
from mtl_transformers.find_model import find_model
from mtl_transformers.model_files import build_config, find_weight_files, read_config
from mtl_transformers.pretrained_model import PretrainedModel
from mtl_transformers.subword_layer import SubwordBatch, SubwordEmbedding
from mtl_transformers.subword_tokenizer import SubwordTokenizer
from mtl_transformers.word_alignment import WordAlignment, align_words, join_words

Item = NDArray[np.int32]
"""Ids of subwords, `(subwords,)`, int32."""
_TYPES_WITH_POSITION_OFFSET = {
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
    "data2vec-text",
}


@dataclass(frozen=True, slots=True, eq=False)
class SubwordText:
    """A text as subwords.

    Attributes:
        text: The text; or its words, if the input is a list of words.
        ids: `(subwords,)`, int32: the subwords after truncation.
    """

    text: str | tuple[str, ...]
    ids: NDArray[np.int32]


class SubwordEncoder(Encoder[SubwordText, Item]):
    """An encoder that tokenizes texts with the tokenizer of a model.

    Args:
        model: The path or name of the model.
        max_tokens: Maximum number of subwords, including special tokens.
        trainable: Whether the word embedding table is trained.
    """

    def __init__(self, model: Path | str, max_tokens: int, trainable: bool) -> None:
        self._model_name = model
        self._max_tokens = max_tokens
        self._trainable = trainable
        self._vocabulary_ids: list[int] = []
        self._restored_state: Mapping[str, Any] | None = None
        self._last_alignment: tuple[SubwordText, WordAlignment] | None = None

    @cached_property
    def _folder(self) -> Path | None:
        """The folder of the model; None after `restore`, which does not need it."""
        return None if self._restored_state is not None else find_model(self._model_name)

    @cached_property
    def _config(self) -> dict[str, Any]:
        if self._restored_state is not None:
            return dict(self._restored_state["config"])
        assert self._folder is not None  # noqa: S101  only a restored encoder has no folder
        config = read_config(self._folder)
        find_weight_files(self._folder)
        return config

    @cached_property
    def _tokenizer(self) -> SubwordTokenizer:
        if self._restored_state is not None:
            return SubwordTokenizer.from_state(self._restored_state["tokenizer"])
        assert self._folder is not None  # noqa: S101  only a restored encoder has no folder
        self._validate_max_tokens()
        return SubwordTokenizer.from_folder(self._folder)

    def _validate_max_tokens(self) -> None:
        config = build_config(self._config)
        max_positions = getattr(config, "max_position_embeddings", None)
        if not isinstance(max_positions, int) or max_positions <= 0:
            return
        if config.model_type in _TYPES_WITH_POSITION_OFFSET:  # positions start after that of the padding
            max_positions -= (config.pad_token_id or 0) + 1
        if self._max_tokens > max_positions:
            raise MtlError(
                f"encoder.max_tokens: {self._max_tokens}, but the model '{self._model_name}' "
                f"supports at most {max_positions}"
            )

    @property
    def _max_subwords(self) -> int:
        return max(1, self._max_tokens - self._tokenizer.special.n_added)

    def parse(self, inputs: Sequence[Any]) -> list[SubwordText]:
        """Tokenize texts, or lists of words, to subwords.

        Raises:
            MtlError: If an input is neither, or the model's tokenizer cannot be loaded.
        """
        values = [validate_text(value, "transformer") for value in inputs]
        tokenizer, max_subwords = self._tokenizer, self._max_subwords
        no_ids = np.zeros(0, dtype=np.int32)
        texts = (value if isinstance(value, str) else join_words(value)[0] for value in values)
        return [
            SubwordText(value, no_ids if not text or text.isspace() else tokenizer.encode_ids(text, max_subwords))
            for value, text in zip(values, texts, strict=True)
        ]

    def is_empty(self, parsed: SubwordText) -> bool:
        """Return whether a text has no subwords."""
        return len(parsed.ids) == 0

    def fit(self, parsed: Iterable[SubwordText]) -> None:
        """Count the training subwords: `vocabulary` contains them by descending frequency."""
        counts = np.zeros(self._tokenizer.tokenizer.get_vocab_size(), dtype=np.int64)
        for text in parsed:
            np.add.at(counts, text.ids, 1)
        counts[[token_id for token_id in self._tokenizer.special.all if token_id < len(counts)]] = 0
        order = np.argsort(-counts, kind="stable")
        self._vocabulary_ids = order[counts[order] > 0].tolist()
        self.__dict__.pop("_vocabulary_indices", None)

    def encode(self, parsed: Sequence[SubwordText]) -> list[Item]:
        """Return the subword ids; a text without subwords becomes one unknown token."""
        unknown_ids = np.array([self._tokenizer.special.unknown], dtype=np.int32)
        return [text.ids if len(text.ids) else unknown_ids for text in parsed]

    def length(self, item: Item) -> int:
        """Return the number of subwords."""
        return len(item)

    def collate(self, items: Sequence[Item]) -> SubwordBatch:
        """Pad to the longest item."""
        lengths = [len(item) for item in items]
        ids = np.zeros((len(items), max(lengths)), dtype=np.int64)
        for row, item in enumerate(items):
            ids[row, : len(item)] = item
        return SubwordBatch(torch.from_numpy(ids), torch.tensor(lengths))

    def input_layer(self) -> nn.Module:
        """Build the word embedding table of the model."""
        return SubwordEmbedding(PretrainedModel(self._config, self._folder), self._tokenizer.special, self._trainable)

    def words(self, parsed: SubwordText) -> list[str]:
        """Return the words of the input: a list as it is, a text split into words (see `align_words`)."""
        return self._align(parsed).words

    def token_to_word(self, parsed: SubwordText) -> list[int]:
        """Return the indices of the words with subwords after truncation; empty for an input without subwords."""
        return self._align(parsed).token_to_word

    def tokens(self, parsed: SubwordText) -> list[str]:
        """Return the words that the network reads; one unknown word if there are none, as in `encode`."""
        return super().tokens(parsed) or ["<unknown>"]

    def subword_to_token(self, parsed: SubwordText) -> list[int]:
        """Return the token index of each subword."""
        return self._align(parsed).subword_to_token or [0]

    def _align(self, parsed: SubwordText) -> WordAlignment:
        """Align words and subwords; cache the last text, since callers request its parts one after the other."""
        if self._last_alignment is None or self._last_alignment[0] is not parsed:
            text = parsed.text if isinstance(parsed.text, str) else join_words(parsed.text)[0]
            spans = self._tokenizer.compute_spans(text, self._max_subwords) if len(parsed.ids) else []
            self._last_alignment = parsed, align_words(parsed.text, spans)
        return self._last_alignment[1]

    @property
    def vocabulary(self) -> Sequence[str]:
        """The subwords of the training texts, most frequent first."""
        return [str(self._tokenizer.tokenizer.id_to_token(token_id)) for token_id in self._vocabulary_ids]

    @cached_property
    def _vocabulary_indices(self) -> torch.Tensor:
        """Index of each subword id in `vocabulary`, `(ids,)`, int64; -1 if it is not in the vocabulary."""
        indices = torch.full((self._tokenizer.tokenizer.get_vocab_size(),), -1, dtype=torch.int64)
        indices[self._vocabulary_ids] = torch.arange(len(self._vocabulary_ids))
        return indices

    def token_ids(self, inputs: SubwordBatch) -> torch.Tensor:
        """Return indices into `vocabulary`, `(batch, length)`, int64; -1 for padding and OOV subwords."""
        return self._vocabulary_indices[inputs.ids].masked_fill(~inputs.mask, -1)

    def mask_tokens(self, inputs: SubwordBatch, token_mask: torch.Tensor) -> SubwordBatch:
        """Replace masked subwords by the model's mask token, or by its unknown token if it has none."""
        special = self._tokenizer.special
        replacement_id = special.unknown if special.mask is None else special.mask
        return replace(inputs, ids=inputs.ids.masked_fill(token_mask & inputs.mask, replacement_id))

    def state(self) -> dict[str, Any]:
        """Return tokenizer, config and vocabulary."""
        return {"tokenizer": self._tokenizer.state(), "config": self._config, "known": self._vocabulary_ids}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore tokenizer, config and vocabulary; the files of the model are no longer needed."""
        self._restored_state = {"tokenizer": state["tokenizer"], "config": state["config"]}
        self._vocabulary_ids = list(state["known"])
        self._last_alignment = None
        for name in ("_folder", "_config", "_tokenizer", "_vocabulary_indices"):
            self.__dict__.pop(name, None)
