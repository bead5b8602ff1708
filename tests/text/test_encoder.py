"""Tests of the encoder `embedding`: tokenization, vocabulary, batches, and decoding of ids to words."""

import json
import time
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.errors import MtlError
from mtl_text.embedding import Embedding
from mtl_text.embedding_encoder import LONGEST_WORD, EmbeddingEncoder
from mtl_text.embedding_layer import PADDING, UNKNOWN, WordEmbedding
from mtl_text.words import words_of

TRAINING = ["The soup was good, and the waiter was good.", "Don't go: the soup was cold!", "Cold soup?"]


def fitted(texts: Any = TRAINING, **fields: Any) -> EmbeddingEncoder:
    encoder = Embedding(**{"dimensions": 4, **fields}).build()
    encoder.fit(iter(encoder.parse(texts)))
    return encoder


def batch(encoder: EmbeddingEncoder, *texts: Any) -> torch.Tensor:
    return encoder.collate(encoder.encode(encoder.parse(texts)))


def names(encoder: EmbeddingEncoder, *texts: Any) -> list[list[str | None]]:
    """Return the vocabulary word of each id of a batch, None for padding and out-of-vocabulary words."""
    ids = encoder.token_ids(batch(encoder, *texts)).tolist()
    return [[encoder.vocabulary[i] if i >= 0 else None for i in row] for row in ids]


# ── words ──


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop!", ["Don't", "stop", "!"]),
        ("rock'n'roll 'quoted'", ["rock'n'roll", "'", "quoted", "'"]),
        ("I\u2019ve 3.5 km, or 1,000.", ["I\u2019ve", "3.5", "km", ",", "or", "1,000", "."]),
        ("wait...no?!", ["wait", ".", ".", ".", "no", "?", "!"]),
        ("a_b x2 co-op", ["a", "_", "b", "x", "2", "co", "-", "op"]),
        ("e\u0301te\u0301 na\u00efve", ["e\u0301te\u0301", "na\u00efve"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("I ❤\ufe0f it", ["I", "❤\ufe0f", "it"]),
        ("\u00a0\u2003\n", []),
    ],
)
def test_a_text_is_divided_into_words_numbers_and_signs(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_words_are_lower_cased_and_either_apostrophe_is_the_same() -> None:
    encoder = fitted()
    assert names(encoder, "DON\u2019T Go") == [["don't", "go"]]
    assert encoder.tokens("DON\u2019T Go") == ["DON\u2019T", "Go"]
    cased = fitted(lower_case=False)
    assert names(cased, "Cold cold COLD") == [["Cold", "cold", None]]


PIECES = [
    "The",
    "soup",
    "don't",
    "isn\u2019t",
    "7.5",
    "...",
    "_",
    "日本語",
    "🍣",
    "\n",
    " ",
    "e\u0301",
    "\u0301",
    "İ",
    "\x00",
]
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
INPUTS = st.one_of(TEXTS, st.lists(TEXTS, max_size=12))


@cache
def shared_encoder() -> EmbeddingEncoder:
    return fitted([*TRAINING, "isn't 7.5 🍣 日本語"], max_tokens=10)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_the_words_of_any_text_join_back_to_it_without_white_space(text: str) -> None:
    words = list(words_of(text))
    assert "".join(words) == "".join(text.split())
    assert all(words)


@settings(max_examples=200, deadline=None)
@given(st.lists(INPUTS, min_size=1, max_size=5))
def test_any_input_becomes_ids_that_line_up_with_its_words(inputs: list[Any]) -> None:
    encoder = shared_encoder()
    parsed = encoder.parse(inputs)
    items = encoder.encode(parsed)
    size = len(encoder.vocabulary) + 2
    for value, one, item in zip(inputs, parsed, items, strict=True):
        words, places = encoder.words(one), encoder.places(one)
        assert words == (value if isinstance(value, list) else list(words_of(value)))
        assert places == list(range(min(len(words), 10)))
        assert encoder.tokens(one) == ([words[place] for place in places] or ["<unknown>"])
        assert encoder.length(item) == len(item) == max(1, len(places))
        assert item.dtype == np.int32
        assert all(PADDING < row < size for row in item)
        assert encoder.is_empty(one) == (not "".join(words).strip())
    rows = encoder.collate(items)
    assert rows.shape == (len(inputs), max(map(len, items)))
    assert ((rows != PADDING).sum(dim=1) == torch.tensor([len(item) for item in items])).all()
    assert encoder.input_layer()(rows).mask.sum(dim=1).tolist() == [len(item) for item in items]


@pytest.mark.parametrize("nothing", ["", " \n\u2003", [], ()])
def test_of_an_empty_text_no_word_has_a_place_and_one_unknown_word_is_read(nothing: Any) -> None:
    encoder = fitted()
    [parsed] = encoder.parse([nothing])
    assert encoder.is_empty(parsed)
    assert encoder.places(parsed) == []
    assert encoder.tokens(parsed) == ["<unknown>"]
    assert encoder.encode([parsed])[0].tolist() == [UNKNOWN]


def test_given_words_are_tokens_each_of_them() -> None:
    encoder = fitted()
    words = ["The", "New York", "", "soup", "don't", "  "]
    for given_words in (words, tuple(words)):
        [parsed] = encoder.parse([given_words])
        assert encoder.words(parsed) == words
        assert encoder.places(parsed) == [0, 1, 2, 3, 4, 5]
        assert names(encoder, given_words) == [["the", None, None, "soup", "don't", None]]


@pytest.mark.parametrize(
    ("value", "found"),
    [(3, "lists of words, found int"), (["a", 3], "found int in a list"), (None, "found NoneType")],
)
def test_what_is_no_text_is_refused(value: Any, found: str) -> None:
    with pytest.raises(MtlError, match=f"the encoder 'embedding' reads .*{found}"):
        fitted().parse(["fine", value])


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "!" * 1_000_000, "a'" * 500_000, "1." * 500_000, "e\u0301" * 500_000]
)
def test_long_unbroken_strings_are_read_at_once_and_kept_nowhere(text: str) -> None:
    start = time.perf_counter()
    encoder = fitted([text, "soup"], max_tokens=16)
    assert 1 <= batch(encoder, text).shape[1] <= 16
    assert len(json.dumps(encoder.state())) < 500
    assert time.perf_counter() - start < 30  # seconds; without truncation it would take hours


# ── the vocabulary ──


def test_the_vocabulary_goes_by_frequency_and_the_alphabet() -> None:
    encoder = fitted(["b c a b", "c b d", "a"])
    assert encoder.vocabulary == ["b", "a", "c", "d"]
    assert fitted(["b c a b", "c b d", "a"], min_count=2).vocabulary == ["b", "a", "c"]


def test_its_size_counts_padding_and_the_unknown_word() -> None:
    encoder = fitted(["b c a b", "c b d", "a"], vocabulary_size=4)
    assert encoder.vocabulary == ["b", "a"]
    assert names(encoder, "a b c d") == [["a", "b", None, None]]
    assert encoder.input_layer().table.shape == (4, 4)


def test_what_is_cut_away_is_not_learned() -> None:
    assert fitted(["one two three four"], max_tokens=2).vocabulary == ["one", "two"]


def test_a_run_of_letters_that_is_no_word_gets_no_row() -> None:
    assert fitted(["x" * LONGEST_WORD, "y" * (LONGEST_WORD + 1)]).vocabulary == ["x" * LONGEST_WORD]


def test_nothing_to_learn_is_no_crash() -> None:
    encoder = fitted(["", "  "])
    assert encoder.vocabulary == []
    assert torch.isfinite(encoder.input_layer()(batch(encoder, "soup", "")).values).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(INPUTS, min_size=1, max_size=4))
def test_a_restored_encoder_gives_the_same_items(inputs: list[Any]) -> None:
    encoder = fitted(inputs)
    other = Embedding(dimensions=4).build()
    other.restore(json.loads(json.dumps(encoder.state())))
    assert other.vocabulary == encoder.vocabulary
    assert torch.equal(batch(other, *inputs), batch(encoder, *inputs))


# ── masking and the input layer ──


def test_hidden_tokens_are_read_as_unknown_and_the_others_as_before() -> None:
    encoder = fitted()
    layer = encoder.input_layer()
    rows = batch(encoder, "the cold soup", "good soup")
    hidden = torch.tensor([[False, True, False], [True, False, True]])
    masked = encoder.hide(rows, hidden)
    assert encoder.token_ids(masked).tolist() == torch.where(hidden, -1, encoder.token_ids(rows)).tolist()
    before, after = layer(rows), layer(masked)
    assert torch.equal(after.mask, before.mask)
    assert torch.equal(after.values[~hidden], before.values[~hidden])
    assert torch.equal(after.values[0, 1], layer.table[UNKNOWN])
    other = layer(encoder.hide(batch(encoder, "the waiter soup", "cold soup"), hidden))
    assert torch.equal(other.values, after.values)  # two different masked words have the same vector


def test_padding_stays_zero_under_weight_decay() -> None:
    encoder = fitted()
    layer = encoder.input_layer()
    optimizer = torch.optim.AdamW(layer.parameters(), 0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(batch(encoder, "cold soup", "xylophone")).values - 1).pow(2).sum().backward()
        optimizer.step()
    assert not layer.table[PADDING].any()
    assert layer.table[UNKNOWN].all()


def test_word_dropout_reads_words_as_unknown_in_training_only() -> None:
    encoder = fitted(word_dropout=0.5)
    layer = encoder.input_layer()
    assert isinstance(layer, WordEmbedding)
    rows = batch(encoder, "soup cold " * 100, "soup")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = (layer.train()(rows).values == layer.table[UNKNOWN]).all(dim=2)
    assert 0.35 < dropped[0].float().mean() < 0.65
    assert not (layer.eval()(rows).values[0] == layer.table[UNKNOWN]).all(dim=1).any()


def test_dropout_is_on_the_vectors_in_training_only() -> None:
    encoder = fitted(dropout=0.5, dimensions=64)
    layer = encoder.input_layer()
    rows = batch(encoder, "the cold soup was good")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        share = (layer.train()(rows).values == 0).float().mean()
    assert 0.35 < share < 0.65
    assert torch.equal(layer.eval()(rows).values, layer.table[rows])
