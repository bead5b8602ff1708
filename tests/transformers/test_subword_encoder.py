"""Tests of the encoder `transformer`: subwords, words, truncation, and its state in a run directory."""

from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_transformers import tiny_model

from mtl_core import MtlError
from mtl_transformers.subword_encoder import SubwordEncoder
from mtl_transformers.transformer_encoder import TransformerEncoder

pytest.importorskip("transformers")
TEXT = "The waiter waited for the breadmaker, didn't he?!"
TEXTS = st.text(st.sampled_from("ab the Soup,.!'\u2019é\u0301😀❤\ufe0f中国の\u200d\u00a0\n\t9_-ñकि"), max_size=60)


def fit_encoder(kind: str = "bert", max_tokens: int = 38, texts: tuple[str, ...] = (TEXT,)) -> SubwordEncoder:
    encoder = TransformerEncoder(model=tiny_model(kind), max_tokens=max_tokens).build()
    encoder.fit(encoder.parse(texts))
    return encoder


def list_subwords(encoder: SubwordEncoder, value: Any) -> list[str]:
    [parsed] = encoder.parse([value])
    return [str(encoder._tokenizer.tokenizer.id_to_token(subword_id)) for subword_id in parsed.ids.tolist()]


def test_words_are_those_of_the_text() -> None:
    encoder = fit_encoder()
    [parsed] = encoder.parse([TEXT])
    expected = ["The", "waiter", "waited", "for", "the", "breadmaker", ",", "didn't", "he", "?!"]
    assert encoder.words(parsed) == encoder.tokens(parsed) == expected
    assert list_subwords(encoder, TEXT)[:5] == ["the", "wait", "##er", "wait", "##ed"]
    assert encoder.subword_to_token(parsed)[:5] == [0, 1, 1, 2, 2]
    assert encoder.token_to_word(parsed) == list(range(10))


def test_words_of_a_list_are_unchanged() -> None:
    encoder = fit_encoder()
    words = ("New York", "", "is\tfine!", "\u200b", "didn't", " ")
    [parsed] = encoder.parse([list(words)])
    assert encoder.words(parsed) == list(words)
    assert encoder.tokens(parsed) == ["New York", "is\tfine!", "didn't"]
    assert encoder.token_to_word(parsed) == [0, 2, 4]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_list_of_words_is_encoded_like_the_text(kind: str) -> None:
    encoder = fit_encoder(kind)
    text_input, word_input = encoder.parse(["The soup was good", ["The", "soup", "was", "good"]])
    assert np.array_equal(text_input.ids, word_input.ids)
    assert encoder.subword_to_token(text_input) == encoder.subword_to_token(word_input)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_subword_belongs_to_one_token(kind: str, data: st.DataObject) -> None:
    encoder = fit_encoder(kind)
    value = data.draw(st.one_of(TEXTS, st.lists(TEXTS, max_size=6)))
    [parsed] = encoder.parse([value])
    [item] = encoder.encode([parsed])
    subword_to_token, tokens, words = (
        encoder.subword_to_token(parsed),
        encoder.tokens(parsed),
        encoder.words(parsed),
    )
    assert len(subword_to_token) == encoder.length(item)
    assert sorted(set(subword_to_token)) == list(range(len(tokens)))
    assert subword_to_token == sorted(subword_to_token)
    joined = "".join(words)
    if isinstance(value, str):
        assert "".join(joined.split()) == "".join(value.split()), "a character of the text is in no word, or in two"
    else:
        assert words == value


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@settings(max_examples=40, deadline=None)
@given(text=st.text(st.sampled_from("ab,. é😀中"), min_size=1, max_size=30), times=st.integers(1, 40))
def test_long_text_is_truncated_like_the_full_text(kind: str, text: str, times: int) -> None:
    """The tokenizer reads only a prefix of a long text; the result must equal that of the whole text."""
    encoder = fit_encoder(kind, max_tokens=6)
    tokenizer = encoder._tokenizer
    long_text = text * times
    assert tokenizer.encode_ids(long_text, 4).tolist() == tokenizer._encode_text(long_text).ids[:4]
    assert tokenizer.compute_spans(long_text, 4) == tokenizer._encode_text(long_text).offsets[:4]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("text", ["soup " * 50_000, "a" * 250_000, " " * 250_000 + "soup", "😀" * 60_000])
def test_quarter_of_a_megabyte_is_encoded_quickly(kind: str, text: str) -> None:
    encoder = fit_encoder(kind)
    start = process_time()
    [parsed] = encoder.parse([text])
    assert 0 < len(parsed.ids) <= 36
    assert encoder.tokens(parsed)
    assert process_time() - start < 3


def test_empty_text_is_one_unknown_token() -> None:
    for kind in ("bert", "roberta"):
        encoder = fit_encoder(kind)
        for value in ("", " \n\t\u00a0", [], ["", " "]):
            [parsed] = encoder.parse([value])
            assert encoder.is_empty(parsed)
            assert encoder.tokens(parsed) == ["<unknown>"]
            assert encoder.encode([parsed])[0].tolist() == [encoder._tokenizer.special.unknown]


def test_lone_surrogate_is_accepted() -> None:
    encoder = fit_encoder()
    [parsed] = encoder.parse(["good \ud83d soup"])
    assert encoder.tokens(parsed)[0] == "good"
    assert encoder.tokens(parsed)[-1] == "soup"


def test_special_tokens_count_towards_max_tokens() -> None:
    assert len(fit_encoder(max_tokens=5).parse(["a b c d e f"])[0].ids) == 3


def test_vocabulary_contains_only_subwords_of_training_texts() -> None:
    encoder = fit_encoder(texts=("soup soup was the the the", "[MASK] [SEP] zz"))
    assert encoder.vocabulary[:3] == ["the", "soup", "##z"] or encoder.vocabulary[:2] == ["the", "soup"]
    assert not {"[MASK]", "[SEP]", "[UNK]", "bread"} & set(encoder.vocabulary)
    batch = encoder.collate(encoder.encode(encoder.parse(["the soup bread", "the"])))
    ids = encoder.token_ids(batch)
    assert ids.tolist() == [[0, 1, -1], [0, -1, -1]]
    masked = encoder.mask_tokens(batch, torch.tensor([[True, False, True], [False, True, False]]))
    mask: Any = encoder._tokenizer.special.mask
    assert (masked.ids == mask).tolist() == [[True, False, True], [False, False, False]]


def test_restored_encoder_requires_no_model(tmp_path: Path) -> None:
    import json

    encoder = fit_encoder()
    state = json.loads(json.dumps(encoder.state()))
    restored = TransformerEncoder(model=tmp_path / "gone").build()
    restored.restore(state)
    assert restored.state() == encoder.state()
    assert np.array_equal(restored.parse([TEXT])[0].ids, encoder.parse([TEXT])[0].ids)
    layer: Any = restored.input_layer()
    assert layer.table.shape == encoder.input_layer().table.shape
    assert layer.output.model.build().config.hidden_size == 16


@pytest.mark.parametrize("value", [3, None, ["a", 3], b"soup"])
def test_value_that_is_not_a_text_is_rejected(value: object) -> None:
    with pytest.raises(MtlError, match=r"reads (texts or )?lists of words"):
        fit_encoder().parse([value])


def test_max_tokens_is_limited_by_the_model() -> None:
    with pytest.raises(MtlError, match=r"encoder\.max_tokens: 41, but the model .* supports at most 40"):
        TransformerEncoder(model=tiny_model(), max_tokens=41).build().parse(["soup"])
    with pytest.raises(MtlError, match="supports at most 38"):  # positions start after the padding index
        TransformerEncoder(model=tiny_model("roberta"), max_tokens=39).build().parse(["soup"])
