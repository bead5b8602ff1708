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
from mtl_text.word_embedding import Embedding
from mtl_text.word_embedding_encoder import MAX_WORD_LENGTH, EmbeddingEncoder
from mtl_text.word_embedding_layer import PADDING, UNKNOWN, WordEmbedding
from mtl_text.word_tokenizer import split_words

TRAINING_TEXTS = ["The soup was good, and the waiter was good.", "Don't go: the soup was cold!", "Cold soup?"]


def fit_encoder(texts: Any = TRAINING_TEXTS, **fields: Any) -> EmbeddingEncoder:
    encoder = Embedding(**{"dimensions": 4, **fields}).build()
    encoder.fit(iter(encoder.parse(texts)))
    return encoder


def collate_texts(encoder: EmbeddingEncoder, *texts: Any) -> torch.Tensor:
    return encoder.collate(encoder.encode(encoder.parse(texts)))


def decode_words(encoder: EmbeddingEncoder, *texts: Any) -> list[list[str | None]]:
    """Return the vocabulary word of each id of a batch, None for padding and out-of-vocabulary words."""
    ids = encoder.token_ids(collate_texts(encoder, *texts)).tolist()
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
def test_text_is_split_into_words_numbers_and_punctuation(text: str, words: list[str]) -> None:
    assert list(split_words(text)) == words


def test_words_are_lower_cased_and_apostrophes_are_normalized() -> None:
    encoder = fit_encoder()
    assert decode_words(encoder, "DON\u2019T Go") == [["don't", "go"]]
    assert encoder.tokens("DON\u2019T Go") == ["DON\u2019T", "Go"]
    cased = fit_encoder(lower_case=False)
    assert decode_words(cased, "Cold cold COLD") == [["Cold", "cold", None]]


FRAGMENTS = [
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
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
INPUTS = st.one_of(TEXTS, st.lists(TEXTS, max_size=12))


@cache
def build_shared_encoder() -> EmbeddingEncoder:
    return fit_encoder([*TRAINING_TEXTS, "isn't 7.5 🍣 日本語"], max_tokens=10)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_words_of_any_text_join_to_it_without_white_space(text: str) -> None:
    words = list(split_words(text))
    assert "".join(words) == "".join(text.split())
    assert all(words)


@settings(max_examples=200, deadline=None)
@given(st.lists(INPUTS, min_size=1, max_size=5))
def test_ids_of_any_input_match_its_words(inputs: list[Any]) -> None:
    encoder = build_shared_encoder()
    parsed = encoder.parse(inputs)
    items = encoder.encode(parsed)
    n_rows = len(encoder.vocabulary) + 2
    for value, parsed_input, item in zip(inputs, parsed, items, strict=True):
        words, token_to_word = encoder.words(parsed_input), encoder.token_to_word(parsed_input)
        assert words == (value if isinstance(value, list) else list(split_words(value)))
        assert token_to_word == list(range(min(len(words), 10)))
        assert encoder.tokens(parsed_input) == ([words[index] for index in token_to_word] or ["<unknown>"])
        assert encoder.length(item) == len(item) == max(1, len(token_to_word))
        assert item.dtype == np.int32
        assert all(PADDING < token_id < n_rows for token_id in item)
        assert encoder.is_empty(parsed_input) == (not "".join(words).strip())
    rows = encoder.collate(items)
    assert rows.shape == (len(inputs), max(map(len, items)))
    assert ((rows != PADDING).sum(dim=1) == torch.tensor([len(item) for item in items])).all()
    assert encoder.input_layer()(rows).mask.sum(dim=1).tolist() == [len(item) for item in items]


@pytest.mark.parametrize("empty_input", ["", " \n\u2003", [], ()])
def test_empty_text_is_encoded_as_one_unknown_token(empty_input: Any) -> None:
    encoder = fit_encoder()
    [parsed] = encoder.parse([empty_input])
    assert encoder.is_empty(parsed)
    assert encoder.token_to_word(parsed) == []
    assert encoder.tokens(parsed) == ["<unknown>"]
    assert encoder.encode([parsed])[0].tolist() == [UNKNOWN]


def test_each_word_of_a_list_is_one_token() -> None:
    encoder = fit_encoder()
    words = ["The", "New York", "", "soup", "don't", "  "]
    for value in (words, tuple(words)):
        [parsed] = encoder.parse([value])
        assert encoder.words(parsed) == words
        assert encoder.token_to_word(parsed) == [0, 1, 2, 3, 4, 5]
        assert decode_words(encoder, value) == [["the", None, None, "soup", "don't", None]]


@pytest.mark.parametrize(
    ("value", "message"),
    [(3, "lists of words, found int"), (["a", 3], "found int in a list"), (None, "found NoneType")],
)
def test_value_that_is_not_a_text_is_rejected(value: Any, message: str) -> None:
    with pytest.raises(MtlError, match=f"the encoder 'embedding' reads .*{message}"):
        fit_encoder().parse(["fine", value])


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "!" * 1_000_000, "a'" * 500_000, "1." * 500_000, "e\u0301" * 500_000]
)
def test_long_unbroken_strings_are_encoded_quickly_and_not_stored(text: str) -> None:
    start = time.perf_counter()
    encoder = fit_encoder([text, "soup"], max_tokens=16)
    assert 1 <= collate_texts(encoder, text).shape[1] <= 16
    assert len(json.dumps(encoder.state())) < 500
    assert time.perf_counter() - start < 30  # seconds; without truncation it would take hours


# ── the vocabulary ──


def test_vocabulary_is_sorted_by_frequency_then_alphabetically() -> None:
    encoder = fit_encoder(["b c a b", "c b d", "a"])
    assert encoder.vocabulary == ["b", "a", "c", "d"]
    assert fit_encoder(["b c a b", "c b d", "a"], min_count=2).vocabulary == ["b", "a", "c"]


def test_vocabulary_size_includes_padding_and_unknown() -> None:
    encoder = fit_encoder(["b c a b", "c b d", "a"], vocabulary_size=4)
    assert encoder.vocabulary == ["b", "a"]
    assert decode_words(encoder, "a b c d") == [["a", "b", None, None]]
    assert encoder.input_layer().table.shape == (4, 4)


def test_truncated_words_are_not_in_the_vocabulary() -> None:
    assert fit_encoder(["one two three four"], max_tokens=2).vocabulary == ["one", "two"]


def test_overlong_words_are_not_in_the_vocabulary() -> None:
    assert fit_encoder(["x" * MAX_WORD_LENGTH, "y" * (MAX_WORD_LENGTH + 1)]).vocabulary == ["x" * MAX_WORD_LENGTH]


def test_fit_accepts_empty_texts() -> None:
    encoder = fit_encoder(["", "  "])
    assert encoder.vocabulary == []
    assert torch.isfinite(encoder.input_layer()(collate_texts(encoder, "soup", "")).values).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(INPUTS, min_size=1, max_size=4))
def test_restored_encoder_returns_the_same_batches(inputs: list[Any]) -> None:
    encoder = fit_encoder(inputs)
    restored = Embedding(dimensions=4).build()
    restored.restore(json.loads(json.dumps(encoder.state())))
    assert restored.vocabulary == encoder.vocabulary
    assert torch.equal(collate_texts(restored, *inputs), collate_texts(encoder, *inputs))


# ── masking and the input layer ──


def test_masked_tokens_are_unknown_and_the_remaining_unchanged() -> None:
    encoder = fit_encoder()
    layer: Any = encoder.input_layer()
    rows = collate_texts(encoder, "the cold soup", "good soup")
    token_mask = torch.tensor([[False, True, False], [True, False, True]])
    masked = encoder.mask_tokens(rows, token_mask)
    assert encoder.token_ids(masked).tolist() == torch.where(token_mask, -1, encoder.token_ids(rows)).tolist()
    original_features, masked_features = layer(rows), layer(masked)
    assert torch.equal(masked_features.mask, original_features.mask)
    assert torch.equal(masked_features.values[~token_mask], original_features.values[~token_mask])
    assert torch.equal(masked_features.values[0, 1], layer.table[UNKNOWN])
    other_features = layer(encoder.mask_tokens(collate_texts(encoder, "the waiter soup", "cold soup"), token_mask))
    assert torch.equal(other_features.values, masked_features.values)  # two different masked words have the same vector


def test_padding_stays_zero_under_weight_decay() -> None:
    encoder = fit_encoder()
    layer: Any = encoder.input_layer()
    optimizer = torch.optim.AdamW(layer.parameters(), 0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(collate_texts(encoder, "cold soup", "xylophone")).values - 1).pow(2).sum().backward()
        optimizer.step()
    assert not layer.table[PADDING].any()
    assert layer.table[UNKNOWN].all()


def test_word_dropout_replaces_words_by_unknown_in_training_only() -> None:
    encoder = fit_encoder(word_dropout=0.5)
    layer = encoder.input_layer()
    assert isinstance(layer, WordEmbedding)
    rows = collate_texts(encoder, "soup cold " * 100, "soup")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        is_unknown = (layer.train()(rows).values == layer.table[UNKNOWN]).all(dim=2)
    assert 0.35 < is_unknown[0].float().mean() < 0.65
    assert not (layer.eval()(rows).values[0] == layer.table[UNKNOWN]).all(dim=1).any()


def test_dropout_zeroes_vectors_in_training_only() -> None:
    encoder = fit_encoder(dropout=0.5, dimensions=64)
    layer: Any = encoder.input_layer()
    rows = collate_texts(encoder, "the cold soup was good")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        zero_fraction = (layer.train()(rows).values == 0).float().mean()
    assert 0.35 < zero_fraction < 0.65
    assert torch.equal(layer.eval()(rows).values, layer.table[rows])
