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
from mtl_transformers.encoder import TransformerEncoder
from mtl_transformers.piece_encoder import PieceEncoder

pytest.importorskip("transformers")
TEXT = "The waiter waited for the breadmaker, didn't he?!"
TEXTS = st.text(st.sampled_from("ab the Soup,.!'\u2019é\u0301😀❤\ufe0f中国の\u200d\u00a0\n\t9_-ñकि"), max_size=60)


def encoder_of(kind: str = "bert", max_tokens: int = 38, texts: tuple[str, ...] = (TEXT,)) -> PieceEncoder:
    encoder = TransformerEncoder(model=tiny_model(kind), max_tokens=max_tokens).build()
    encoder.fit(encoder.parse(texts))
    return encoder


def names(encoder: PieceEncoder, value: Any) -> list[str]:
    [parsed] = encoder.parse([value])
    return [encoder._tokenizer.tokenizer.id_to_token(piece) for piece in parsed.ids.tolist()]


def test_words_are_the_users_own() -> None:
    encoder = encoder_of()
    [parsed] = encoder.parse([TEXT])
    expected = ["The", "waiter", "waited", "for", "the", "breadmaker", ",", "didn't", "he", "?!"]
    assert encoder.words(parsed) == encoder.tokens(parsed) == expected
    assert names(encoder, TEXT)[:5] == ["the", "wait", "##er", "wait", "##ed"]
    assert encoder.pieces(parsed)[:5] == [0, 1, 1, 2, 2]
    assert encoder.places(parsed) == list(range(10))


def test_words_that_are_given_stay_as_they_are() -> None:
    encoder = encoder_of()
    words = ("New York", "", "is\tfine!", "\u200b", "didn't", " ")
    [parsed] = encoder.parse([list(words)])
    assert encoder.words(parsed) == list(words)
    assert encoder.tokens(parsed) == ["New York", "is\tfine!", "didn't"]
    assert encoder.places(parsed) == [0, 2, 4]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_words_read_as_in_a_text(kind: str) -> None:
    encoder = encoder_of(kind)
    one, other = encoder.parse(["The soup was good", ["The", "soup", "was", "good"]])
    assert np.array_equal(one.ids, other.ids)
    assert encoder.pieces(one) == encoder.pieces(other)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_piece_has_its_word(kind: str, data: st.DataObject) -> None:
    encoder = encoder_of(kind)
    value = data.draw(st.one_of(TEXTS, st.lists(TEXTS, max_size=6)))
    [parsed] = encoder.parse([value])
    [item] = encoder.encode([parsed])
    pieces, tokens, words = encoder.pieces(parsed), encoder.tokens(parsed), encoder.words(parsed)
    assert len(pieces) == encoder.length(item)
    assert sorted(set(pieces)) == list(range(len(tokens)))
    assert pieces == sorted(pieces)
    whole = "".join(words)
    if isinstance(value, str):
        assert "".join(whole.split()) == "".join(value.split()), "a character of the text is in no word, or in two"
    else:
        assert words == value


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@settings(max_examples=40, deadline=None)
@given(text=st.text(st.sampled_from("ab,. é😀中"), min_size=1, max_size=30), times=st.integers(1, 40))
def test_a_long_text_is_cut_where_a_whole_one_would_be(kind: str, text: str, times: int) -> None:
    """The tokenizer reads only a prefix of a long text; the result must equal that of the whole text."""
    encoder = encoder_of(kind, max_tokens=6)
    tokenizer = encoder._tokenizer
    long = text * times
    assert tokenizer.ids(long, 4).tolist() == tokenizer._whole(long).ids[:4]
    assert tokenizer.spans(long, 4) == tokenizer._whole(long).offsets[:4]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("text", ["soup " * 50_000, "a" * 250_000, " " * 250_000 + "soup", "😀" * 60_000])
def test_a_quarter_of_a_megabyte_is_read_at_once(kind: str, text: str) -> None:
    encoder = encoder_of(kind)
    start = process_time()
    [parsed] = encoder.parse([text])
    assert 0 < len(parsed.ids) <= 36
    assert encoder.tokens(parsed)
    assert process_time() - start < 3


def test_nothing_to_read() -> None:
    for kind in ("bert", "roberta"):
        encoder = encoder_of(kind)
        for value in ("", " \n\t\u00a0", [], ["", " "]):
            [parsed] = encoder.parse([value])
            assert encoder.is_empty(parsed)
            assert encoder.tokens(parsed) == ["<unknown>"]
            assert encoder.encode([parsed])[0].tolist() == [encoder._tokenizer.special.unknown]


def test_half_a_character_is_read_as_a_strange_one() -> None:
    encoder = encoder_of()
    [parsed] = encoder.parse(["good \ud83d soup"])
    assert encoder.tokens(parsed)[0] == "good"
    assert encoder.tokens(parsed)[-1] == "soup"


def test_marks_count_among_the_tokens() -> None:
    assert len(encoder_of(max_tokens=5).parse(["a b c d e f"])[0].ids) == 3


def test_the_vocabulary_is_of_the_training_texts() -> None:
    encoder = encoder_of(texts=("soup soup was the the the", "[MASK] [SEP] zz"))
    assert encoder.vocabulary[:3] == ["the", "soup", "##z"] or encoder.vocabulary[:2] == ["the", "soup"]
    assert not {"[MASK]", "[SEP]", "[UNK]", "bread"} & set(encoder.vocabulary)
    batch = encoder.collate(encoder.encode(encoder.parse(["the soup bread", "the"])))
    ids = encoder.token_ids(batch)
    assert ids.tolist() == [[0, 1, -1], [0, -1, -1]]
    hidden = encoder.hide(batch, torch.tensor([[True, False, True], [False, True, False]]))
    mask = encoder._tokenizer.special.mask
    assert (hidden.ids == mask).tolist() == [[True, False, True], [False, False, False]]


def test_a_restored_encoder_needs_no_model(tmp_path: Path) -> None:
    import json

    encoder = encoder_of()
    state = json.loads(json.dumps(encoder.state()))
    other = TransformerEncoder(model=tmp_path / "gone").build()
    other.restore(state)
    assert other.state() == encoder.state()
    assert np.array_equal(other.parse([TEXT])[0].ids, encoder.parse([TEXT])[0].ids)
    layer = other.input_layer()
    assert layer.table.shape == encoder.input_layer().table.shape
    assert layer.output.model.build().config.hidden_size == 16


@pytest.mark.parametrize("value", [3, None, ["a", 3], b"soup"])
def test_what_is_no_text(value: object) -> None:
    with pytest.raises(MtlError, match=r"reads (texts or )?lists of words"):
        encoder_of().parse([value])


def test_a_model_reads_only_so_far() -> None:
    with pytest.raises(MtlError, match=r"encoder\.max_tokens: 41, but the model .* supports at most 40"):
        TransformerEncoder(model=tiny_model(), max_tokens=41).build().parse(["soup"])
    with pytest.raises(MtlError, match="supports at most 38"):  # positions start after the padding index
        TransformerEncoder(model=tiny_model("roberta"), max_tokens=39).build().parse(["soup"])
