"""Components for tests of tokens: an encoder that drops words, a backbone with neighbours, synthetic sentences.

It is a plugin file, loaded by path like any other. Sentences consist of pairs of words ("red wine"), so that a word
can be predicted from its neighbour. Commas separate the pairs. The encoder drops them, so that token indices and
word indices differ.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt
from torch import nn

from mtl_core import (
    BackboneSpec,
    Corpus,
    EncoderSpec,
    Features,
    FeatureShape,
    Label,
    LoaderSpec,
    MtlError,
    hookimpl,
)
from mtl_core.data.encoder import Encoder

PLUGIN = str(Path(__file__).resolve())
PADDING, UNKNOWN, SPECIAL = 0, 1, 2
COMMA = ","

PAIRS = (("red", "wine"), ("green", "tea"), ("black", "coffee"), ("dark", "beer"), ("fresh", "juice"))
WORDS = [word for pair in PAIRS for word in pair]
COLOURS = [colour for colour, _ in PAIRS]
COSTS = {word: float(index % 5) for index, word in enumerate(WORDS)}


class TinyWords(Encoder[tuple[str, ...], NDArray[np.int64]]):
    """Splits texts at spaces and drops some words."""

    def __init__(self, drop: Sequence[str], dimensions: int) -> None:
        self._drop, self._dimensions = frozenset(drop), dimensions
        self._words: list[str] = []

    def parse(self, inputs: Sequence[Any]) -> list[tuple[str, ...]]:
        for value in inputs:
            if not isinstance(value, str):
                raise MtlError(f"the encoder 'tiny-words' reads texts, found {type(value).__name__}")
        return [tuple(value.split()) for value in inputs]

    def is_empty(self, parsed: tuple[str, ...]) -> bool:
        return not self.token_to_word(parsed)

    def fit(self, parsed: Iterable[tuple[str, ...]]) -> None:
        counts = Counter(word for text in parsed for word in text if word not in self._drop)
        self._words = sorted(counts, key=lambda word: (-counts[word], word))

    def encode(self, parsed: Sequence[tuple[str, ...]]) -> list[NDArray[np.int64]]:
        rows = {word: row for row, word in enumerate(self._words, start=SPECIAL)}
        return [
            np.array([rows.get(text[index], UNKNOWN) for index in self.token_to_word(text)] or [UNKNOWN])
            for text in parsed
        ]

    def length(self, item: NDArray[np.int64]) -> int:
        return len(item)

    def collate(self, items: Sequence[NDArray[np.int64]]) -> torch.Tensor:
        table = np.full((len(items), max(map(len, items))), PADDING, dtype=np.int64)
        for row, item in enumerate(items):
            table[row, : len(item)] = item
        return torch.from_numpy(table)

    def input_layer(self) -> nn.Module:
        return TinyTable(len(self._words) + SPECIAL, self._dimensions)

    def words(self, parsed: tuple[str, ...]) -> list[str]:
        return list(parsed)

    def token_to_word(self, parsed: tuple[str, ...]) -> list[int]:
        return [index for index, word in enumerate(parsed) if word not in self._drop]

    @property
    def vocabulary(self) -> Sequence[str]:
        return self._words

    def token_ids(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs - SPECIAL).clamp(min=-1)

    def mask_tokens(self, inputs: torch.Tensor, token_mask: torch.Tensor) -> torch.Tensor:
        return inputs.masked_fill(token_mask, UNKNOWN)

    def state(self) -> dict[str, Any]:
        return {"words": self._words}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._words = list(state["words"])


class TinyTable(nn.Module):
    """One vector per word; the vector of padding must have no effect."""

    def __init__(self, rows: int, dimensions: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(rows, dimensions))
        self.output = FeatureShape(dimensions, sequence=True)

    def forward(self, rows: torch.Tensor) -> Features:
        return Features(self.table[rows], rows != PADDING)


class TinyWordsSpec(EncoderSpec):
    """Words without commas."""

    type: Literal["tiny-words"] = "tiny-words"
    drop: list[str] = [COMMA]
    """Words that the network does not read."""
    dimensions: PositiveInt = 8
    """Width of the vectors."""

    def build(self) -> TinyWords:
        return TinyWords(self.drop, self.dimensions)


class NeighbourModule(nn.Module):
    """Concatenates each token with its predecessor, its successor and the mean of all tokens."""

    def __init__(self, inputs: FeatureShape, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(4 * inputs.width, width)
        self.output = FeatureShape(width, sequence=True)

    def forward(self, features: Features) -> Features:
        assert features.mask is not None
        values = features.values * features.mask.unsqueeze(-1)
        edge = values.new_zeros(values.shape[0], 1, values.shape[2])
        before, after = torch.cat([edge, values[:, :-1]], dim=1), torch.cat([values[:, 1:], edge], dim=1)
        mean = features.mean_pool().unsqueeze(1).expand_as(values)
        return Features(torch.tanh(self.layer(torch.cat([values, before, after, mean], dim=2))), features.mask)


class Neighbours(BackboneSpec):
    """Tokens with their neighbours."""

    type: Literal["neighbours"] = "neighbours"
    width: PositiveInt = 24
    """Width of the features."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        return NeighbourModule(inputs, self.width)


class Sentences(LoaderSpec):
    """Synthetic sentences with labels of every kind, all of which can be learned from the words."""

    type: Literal["sentences"] = "sentences"
    rows: PositiveInt = 160
    test_rows: NonNegativeInt = 40
    columns: list[str] | None = None
    """The label columns; null for all."""
    weighted: bool = False
    """Whether labels have weights, some of them 0."""
    seed: NonNegativeInt = 0

    def load(self) -> Corpus:
        random = np.random.default_rng(self.seed)
        total = self.rows + self.test_rows
        texts = [_sentence(random) for _ in range(total)]
        columns = {name: [_label(name, text.split(), random) for text in texts] for name in COLUMNS}
        return Corpus(
            ids=[f"s{row}" for row in range(total)],
            inputs=texts,
            labels={name: columns[name] for name in self.columns or COLUMNS},
            splits=["train" if row < self.rows else "test" for row in range(total)],
            weights={name: random.choice([0.0, 0.5, 1.0, 3.0], total).tolist() for name in self.columns or COLUMNS}
            if self.weighted
            else {},
        )

    def from_text(self, text: str) -> object:
        return text


COLUMNS = ("wet", "drink", "colours", "price", "two", "strength", "tags", "costs")


def _sentence(random: np.random.Generator) -> str:
    pairs = [PAIRS[index] for index in random.integers(len(PAIRS), size=random.integers(1, 5))]
    return f" {COMMA} ".join(" ".join(pair) for pair in pairs)


def _label(column: str, words: list[str], random: np.random.Generator) -> Label | None:
    """Compute the label of a text or of its words; about every seventh label is missing."""
    missing = random.random() < 1 / 7
    read_words = [word for word in words if word != COMMA]
    label: Label
    if column == "wet":
        label = "yes" if "wine" in read_words else "no"
    elif column == "drink":
        label = read_words[-1]
    elif column == "colours":
        label = sorted({word for word in read_words if word in ("red", "green", "dark")})
    elif column == "price":
        label = 50_000 + 1000 * float(np.mean([COSTS[word] for word in read_words]))
    elif column == "two":
        numbers = [
            1000 * read_words.count("juice") / len(read_words),
            0.001 * read_words.count("tea") / len(read_words),
        ]
        label = [None if random.random() < 0.3 else number for number in numbers]
    elif column == "strength":
        share = read_words.count("black") / (len(read_words) / 2)
        label = "none" if not share else "some" if share <= 0.5 else "strong"
    elif column == "tags":
        label = [_tag(word) if random.random() > 0.1 else None for word in words]
    else:
        label = [2000 + 10 * COSTS.get(word, 50.0) if random.random() > 0.1 else None for word in words]
    return None if missing else label


def _tag(word: str) -> str:
    return "comma" if word == COMMA else "colour" if word in COLOURS else "drink"


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [Sentences]


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [TinyWordsSpec]


@hookimpl
def mtl_backbones() -> list[type[BackboneSpec]]:
    return [Neighbours]


TASKS: dict[str, dict[str, Any]] = {
    "wet": {"kind": "binary", "head": "linear"},
    "drink": {"kind": "classification", "head": "linear"},
    "colours": {"kind": "multi-label", "head": "linear"},
    "price": {"kind": "regression", "head": "linear"},
    "two": {"kind": {"type": "regression", "outputs": 2}, "head": "linear"},
    "strength": {"kind": {"type": "ordinal", "classes": ["none", "some", "strong"]}, "head": "linear"},
    "tags": {"kind": "token-tagging", "head": "token-linear"},
    "costs": {"kind": "token-regression", "head": "token-linear"},
    "again": {"kind": "reconstruction", "head": {"type": "sequence-decoder", "hidden_dim": 16}},
    "hidden": {"kind": {"type": "masked-tokens", "mask_ratio": 0.25}, "head": "token-linear"},
    "bag": {"kind": "bag-of-words", "head": "linear"},
}
"""One task per kind, by name."""


def build_task_blocks(*names: str) -> list[dict[str, Any]]:
    """Return entries of `tasks:`; all without names."""
    return [{"name": name, **TASKS[name]} for name in names or TASKS]


def build_experiment_blocks(**overrides: Any) -> dict[str, Any]:
    """Return the blocks of an experiment on synthetic sentences, for `toy_config`."""
    return {
        "plugins": [PLUGIN],
        "data": "sentences",
        "encoder": "tiny-words",
        "backbone": "neighbours",
        "tasks": build_task_blocks(),
        "optimizer": {"type": "adam", "lr": 0.02},
        "training": {"epochs": 2, "batch_size": 16},
        **overrides,
    }
