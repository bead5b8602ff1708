import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from absa_plugin import spacy_tokenizer
from absa_plugin.semeval import SemEval2014
from absa_plugin.spacy_encoder import SpacyEncoder
from absa_plugin.spelling import SpellingIndex
from absa_plugin.stop_words import STOP_WORDS
from absa_plugin.word_encoder import PADDING, UNKNOWN, TextItem, WordEncoder
from absa_plugin.word_vectors_layer import WordVectors
from mtl_core.errors import MtlError

SHARED = Path(__file__).parents[3] / "shared"
REAL = SHARED / "data" / "semeval2014" / "Restaurants_Train_v2.xml"
MEDIUM = SHARED / "models" / "en_core_web_md"
DROPPED = ["stop-words", "numbers", "punctuation"]

TRAINING = [
    "The soup was delicious and the waiter friendly.",
    "Terrible service, but delicious bread!",
    "The waiter forgot the bread; the soup was cold.",
]


def build_fitted_encoder(texts: list[str] | None = None, **fields: Any) -> WordEncoder:
    encoder = SpacyEncoder(**fields).build()
    encoder.fit(encoder.parse(TRAINING if texts is None else texts))
    return encoder


def encode_texts(encoder: WordEncoder, *texts: str) -> list[TextItem]:
    return encoder.encode(encoder.parse(texts))


def map_to_words(encoder: WordEncoder, text: str) -> list[str]:
    """Return the words that the ids of a text represent."""
    words = encoder.state()["words"]
    item = encode_texts(encoder, text)[0]
    return [words[row] if row < len(words) else f"*{item.oov_words[row - len(words)]}" for row in item.ids]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a spaCy pipeline with vectors for a few words."""
    nlp = spacy.blank("en")
    random = np.random.default_rng(0)
    for word in ("soup", "bread", "delicious", "waiter", "tasty", "gazpacho"):
        nlp.vocab.set_vector(word, random.normal(size=6).astype(np.float32))
    path = tmp_path_factory.mktemp("pipelines") / "tiny"
    nlp.to_disk(path)
    return str(path)


@pytest.fixture(scope="module")
def medium_pipeline() -> str:
    if not MEDIUM.is_dir():
        pytest.skip("the pipeline en_core_web_md is not beside the checkout")
    return str(MEDIUM)


# ── tokens and ids ──


def test_words_are_lower_cased_and_vocabulary_is_sorted_by_frequency() -> None:
    encoder = build_fitted_encoder()
    words = encoder.state()["words"]
    assert words[:3] == ["<padding>", "<unknown>", "the"]
    assert all(word == word.lower() for word in words)
    assert len(words) == len(set(words))
    assert map_to_words(encoder, "THE Soup WAS Delicious") == ["the", "soup", "was", "delicious"]


def test_a_misspelt_word_is_read_as_the_nearest_known_one_and_nonsense_as_unknown() -> None:
    encoder = build_fitted_encoder()
    assert map_to_words(encoder, "delicous") == ["delicious"]
    assert map_to_words(encoder, "freindly waitr") == ["friendly", "waiter"]
    assert map_to_words(encoder, "xylophone qq 77 ♥") == ["<unknown>"] * 4


def test_oov_word_gets_the_vector_of_the_pipeline(pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline)
    assert map_to_words(encoder, "Tasty gazpacho soup") == ["*tasty", "*gazpacho", "soup"]
    assert map_to_words(encoder, "gazpachoo") == ["<unknown>"]  # no training word has a similar spelling
    layer = encoder.input_layer()
    vectors = spacy.load(pipeline).vocab
    features = layer(encoder.collate(encode_texts(encoder, "tasty gazpacho soup", "soup", "bread tasty tasty")))
    for row, words in enumerate([["tasty", "gazpacho", "soup"], ["soup"], ["bread", "tasty", "tasty"]]):
        for index, word in enumerate(words):
            assert np.array_equal(features.values[row, index].detach().numpy(), vectors.get_vector(word)), word
    assert features.mask.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert not features.values[1, 1:].any()


def test_a_training_word_without_a_vector_starts_from_its_nearest_neighbour_or_the_mean(pipeline: str) -> None:
    encoder = build_fitted_encoder(["delicous soup", "delicious bread", "xylophone"], pipeline=pipeline)
    layer: Any = encoder.input_layer()
    table = layer.table.detach()
    row = {word: table[index] for index, word in enumerate(encoder.state()["words"])}
    assert torch.equal(row["delicous"], row["delicious"])
    mean = (row["soup"] + row["bread"] + row["delicious"]) / 3
    torch.testing.assert_close(row["xylophone"], mean)
    torch.testing.assert_close(row["<unknown>"], mean)
    assert not row["<padding>"].any()


def test_pipeline_without_training_words_is_supported(pipeline: str) -> None:
    encoder = build_fitted_encoder(["xylophone", "zither harp"], pipeline=pipeline)
    layer: Any = encoder.input_layer()
    table = layer.table
    assert torch.isfinite(table).all()
    assert table.shape == (5, 6)


@pytest.mark.shared
def test_real_pipeline_has_vectors_of_oov_words(medium_pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=medium_pipeline)
    assert map_to_words(encoder, "Scrumptious soup, deliciouus") == ["*scrumptious", "soup", ",", "delicious"]
    features = encoder.input_layer()(encoder.collate(encode_texts(encoder, "scrumptious soup")))
    vocab = spacy.load(medium_pipeline, exclude=["tagger", "parser", "ner", "tok2vec"]).vocab
    for index, word in enumerate(["scrumptious", "soup"]):
        assert np.array_equal(features.values[0, index].detach().numpy(), vocab.get_vector(word))


TEXT_PARTS = [
    "The",
    "soup",
    "delicous",
    "n't",
    "not",
    "7",
    "ten",
    "...",
    "\u2014",
    "\ufb01ne",
    "日本語",
    "🍣",
    "\n",
    " ",
    "e\u0301",
    "İ",
]
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(TEXT_PARTS), max_size=12).map(" ".join))


@cache
def build_shared_encoder(*drop: str) -> WordEncoder:
    return build_fitted_encoder(drop=list(drop), max_tokens=10, dimensions=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from([(), ("punctuation",), tuple(DROPPED)]))
def test_ids_are_aligned_with_tokens_for_any_text(texts: list[str], drop: tuple[str, ...]) -> None:
    encoder = build_shared_encoder(*drop)
    parsed = encoder.parse(texts)
    encoded = encoder.encode(parsed)
    size = len(encoder.state()["words"])
    for text, parsed_text, item in zip(texts, parsed, encoded, strict=True):
        assert 1 <= encoder.length(item) == len(item.ids) <= 10
        assert PADDING not in item.ids
        assert all(0 < row < size for row in item.ids)
        tokens = encoder.tokens(parsed_text)
        assert len(tokens) == len(item.ids)
        words, token_to_word = encoder.words(parsed_text), encoder.token_to_word(parsed_text)
        assert [words[index] for index in token_to_word] == ([] if encoder.is_empty(parsed_text) else tokens)
        assert token_to_word == sorted(set(token_to_word))
        assert "".join("".join(words).split()) == "".join(text.split())
        if encoder.is_empty(parsed_text):
            assert (item.ids.tolist(), tokens) == ([UNKNOWN], ["<unknown>"])
        else:
            assert all(token in text and token.strip() for token in tokens)
    second_encoded = encoder.encode(encoder.parse(texts))
    assert [item.ids.tolist() for item in second_encoded] == [item.ids.tolist() for item in encoded]
    batch = encoder.collate(encoded)
    assert batch.lengths.tolist() == [len(item.ids) for item in encoded]
    assert ((batch.ids != PADDING).sum(dim=1) == batch.lengths).all()


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u2003"])
def test_white_space_is_empty_and_becomes_one_unknown_token(text: str) -> None:
    encoder = build_fitted_encoder()
    assert encoder.is_empty(encoder.parse([text])[0])
    assert encode_texts(encoder, text)[0].ids.tolist() == [UNKNOWN]


def test_tokens_keep_their_spelling() -> None:
    encoder = build_fitted_encoder()
    [parsed] = encoder.parse(["The  Soup\nwasn't DELICOUS!"])
    assert encoder.tokens(parsed) == ["The", "Soup", "was", "n't", "DELICOUS", "!"]


def test_dropped_tokens() -> None:
    text = "The soup was not 10 or ten dollars , truly !"
    for drop, expected in (
        ([], text.split()),
        (["punctuation"], ["The", "soup", "was", "not", "10", "or", "ten", "dollars", "truly"]),
        (["numbers"], ["The", "soup", "was", "not", "or", "dollars", ",", "truly", "!"]),
        (["stop-words"], ["soup", "10", "ten", "dollars", ",", "truly", "!"]),
        (DROPPED, ["soup", "dollars", "truly"]),
    ):
        encoder = build_fitted_encoder(drop=drop)
        [parsed] = encoder.parse([text])
        assert encoder.tokens(parsed) == expected
        assert len(encoder.encode([parsed])[0].ids) == len(expected)


def test_stop_words_are_dropped_with_either_apostrophe_and_in_any_case() -> None:
    encoder = build_fitted_encoder(drop=["stop-words"])
    for text in ("It's", "it\u2019s", "IT'S", "They're", "they\u2019re"):
        assert encoder.is_empty(encoder.parse([text])[0]), text
    assert "not" in STOP_WORDS
    assert all(word == word.lower().strip() for word in STOP_WORDS)


def test_long_texts_are_truncated() -> None:
    encoder = build_fitted_encoder(max_tokens=7)
    [parsed] = encoder.parse(["soup " * 50])
    assert len(encoder.encode([parsed])[0].ids) == len(encoder.tokens(parsed)) == 7


def test_very_long_texts_are_encoded() -> None:
    encoder = build_fitted_encoder()
    for text in ("soup " * 20_000, "soup" * 50_000, "!" * 100_001, "a" * 1_100_000):
        [parsed] = encoder.parse([text])
        [item] = encoder.encode([parsed])
        assert 1 <= len(item.ids) <= 256
        assert len(encoder.tokens(parsed)) == len(item.ids)


def test_empty_text_has_one_unknown_token() -> None:
    encoder = build_fitted_encoder(drop=["stop-words"])
    [parsed] = encoder.parse(["It was not"])
    assert encoder.tokens(parsed) == ["<unknown>"]
    assert encoder.length(encoder.encode([parsed])[0]) == 1


def test_invalid_input_is_rejected() -> None:
    with pytest.raises(MtlError, match="the encoder 'spacy' reads texts or lists of words, found int"):
        build_fitted_encoder().parse(["fine", 3])
    with pytest.raises(MtlError, match="the encoder 'spacy' reads lists of words, found NoneType in a list"):
        build_fitted_encoder().parse([["fine", None]])


# ── words, word indices and the vocabulary ──


def test_word_lists_keep_word_indices() -> None:
    encoder = build_fitted_encoder(drop=DROPPED, max_tokens=3)
    all_words = ["The", "soup", "", "was", "not", "10", "New York", "\n", "delicious", "bread", "!"]
    for words in (all_words, tuple(all_words)):
        [parsed] = encoder.parse([words])
        assert encoder.words(parsed) == all_words
        assert encoder.token_to_word(parsed) == [1, 6, 8]
        assert encoder.tokens(parsed) == ["soup", "New York", "delicious"]
        vocabulary = encoder.state()["words"]
        assert encoder.encode([parsed])[0].ids.tolist() == [
            vocabulary.index("soup"),
            UNKNOWN,
            vocabulary.index("delicious"),
        ]


def test_white_space_is_not_a_word() -> None:
    encoder = build_fitted_encoder(drop=["punctuation"])
    [parsed] = encoder.parse(["The  soup ,\n\n cold !"])
    assert encoder.words(parsed) == ["The", "soup", ",", "cold", "!"]
    assert encoder.token_to_word(parsed) == [0, 1, 3]


@pytest.mark.parametrize("nothing", ["", " \n", "It was not", [], [""], ["It", "was", "not"]])
def test_empty_text_has_no_word_indices(nothing: Any) -> None:
    encoder = build_fitted_encoder(drop=["stop-words"])
    [parsed] = encoder.parse([nothing])
    assert encoder.is_empty(parsed)
    assert encoder.token_to_word(parsed) == []
    assert encoder.tokens(parsed) == ["<unknown>"]
    assert encoder.encode([parsed])[0].ids.tolist() == [UNKNOWN]


def test_a_word_learned_from_a_list_is_known_in_a_text() -> None:
    encoder = WordEncoder("blank:en", True, 4, frozenset(), 0.0, 256)
    encoder.fit(iter(encoder.parse([["Soup", "do", "n't"], ["soup"]])))
    assert encoder.vocabulary == ["soup", "do", "n't"]
    assert map_to_words(encoder, "don't SOUP") == ["do", "n't", "soup"]


def test_token_ids_are_vocabulary_indices(pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline)
    batch = encoder.collate(encode_texts(encoder, "The soup, tasty xylophone", "bread"))
    names = [[encoder.vocabulary[i] if i >= 0 else None for i in row] for row in encoder.token_ids(batch).tolist()]
    assert names == [["the", "soup", ",", None, None], ["bread", None, None, None, None]]


def test_masked_tokens_become_unknown_and_other_tokens_are_unchanged(pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline)
    layer: Any = encoder.input_layer()
    batch = encoder.collate(encode_texts(encoder, "The tasty soup", "bread gazpacho"))
    token_mask = torch.tensor([[False, True, False], [True, False, True]])
    before, after = layer(batch), layer(encoder.mask_tokens(batch, token_mask))
    assert torch.equal(after.mask, before.mask)
    unknown = layer.table[UNKNOWN]
    assert torch.equal(after.values[0, 1], unknown)
    assert torch.equal(after.values[1, 0], unknown)
    assert torch.equal(after.values[~token_mask], before.values[~token_mask])
    assert not after.values[1, 2].any()  # padding stays padding
    assert not torch.equal(before.values[0, 1], unknown)


# ── state ──


@settings(max_examples=12, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_restored_encoder_returns_the_same_items(texts: list[str]) -> None:
    encoder = build_shared_encoder()
    other = SpacyEncoder(max_tokens=10, dimensions=4).build()
    other.restore(json.loads(json.dumps(encoder.state())))
    for one, two in zip(encode_texts(encoder, *texts), encode_texts(other, *texts), strict=True):
        assert one.ids.tolist() == two.ids.tolist()
        assert one.oov_words == two.oov_words


def test_restored_encoder_with_vectors_returns_the_same_features(pipeline: str) -> None:
    encoder, other = build_fitted_encoder(pipeline=pipeline), SpacyEncoder(pipeline=pipeline).build()
    other.restore(encoder.state())
    texts = ("tasty soup", "gazpacho delicous gazpacho", "unheard", "")
    batches = [one.collate(encode_texts(one, *texts)) for one in (encoder, other)]
    assert torch.equal(batches[0].ids, batches[1].ids)
    assert torch.equal(batches[0].oov_vectors, batches[1].oov_vectors)
    layer: Any = encoder.input_layer()
    other_layer: Any = other.input_layer()
    assert torch.equal(layer.table, other_layer.table)


def test_vectors_of_another_width_are_rejected(pipeline: str) -> None:
    with pytest.raises(MtlError, match=r"the run's word vectors have the width 9, those of .* 6"):
        SpacyEncoder(pipeline=pipeline).build().restore(build_fitted_encoder(dimensions=9).state())


def test_refitting_replaces_the_vocabulary() -> None:
    encoder = build_fitted_encoder()
    assert map_to_words(encoder, "delicous") == ["delicious"]
    encoder.fit(encoder.parse(["a malicious act"]))
    assert map_to_words(encoder, "delicious soup") == ["malicious", "<unknown>"]


def test_long_stream_of_new_words_does_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_tokenizer, "MAX_NEW_WORDS", 50)
    encoder = build_fitted_encoder()
    before = [map_to_words(encoder, text) for text in ("delicous soup", "waiter xylophone")]
    size = len(encoder._tokenizer.nlp.vocab)
    for start in range(0, 400, 20):
        encode_texts(encoder, " ".join(f"word{number}" for number in range(start, start + 20)))
    assert len(encoder._tokenizer.nlp.vocab) < size + 200
    assert [map_to_words(encoder, text) for text in ("delicous soup", "waiter xylophone")] == before


def test_texts_parsed_before_unload_can_be_encoded(pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline)
    texts = ["tasty delicous soup", ["gazpacho", "deliciouss", "xylophone"]]
    parsed = encoder.parse(texts)
    before = encoder.encode(parsed)
    encoder.unload()
    assert [(item.ids.tolist(), item.oov_words) for item in encoder.encode(parsed)] == [
        (item.ids.tolist(), item.oov_words) for item in before
    ]
    assert [encoder.words(one) for one in parsed] == [["tasty", "delicous", "soup"], texts[1]]


def test_unloaded_pipeline_splits_words_without_vectors(pipeline: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline, drop=DROPPED)
    parsed = encoder.parse(["The soup is n't 7 times tasty!", ["not", "7", "Gazpacho", "."]])
    before = [(encoder.words(one), encoder.token_to_word(one), encoder.tokens(one)) for one in parsed]
    encoder.unload()
    monkeypatch.setattr(spacy_tokenizer, "load_pipeline", None)
    assert [(encoder.words(one), encoder.token_to_word(one), encoder.tokens(one)) for one in parsed] == before


def test_fit_accepts_a_stream_with_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacy_tokenizer, "MAX_NEW_WORDS", 50)
    encoder = SpacyEncoder().build()
    encoder.fit(one for part in range(30) for one in encoder.parse([f"p{part}w{word}" for word in range(20)]))
    assert len(encoder.vocabulary) == 600


def test_missing_vectors_must_be_trainable() -> None:
    with pytest.raises(MtlError, match="has no word vectors, so they must be trained"):
        SpacyEncoder(trainable=False).build()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blank:xx-nothing", "spaCy has no language 'xx-nothing'"),
        ("./nowhere", "is not the folder of a spaCy pipeline"),
        ("en_core_web_unheard_of", "cannot be loaded.*python -m spacy download en_core_web_unheard_of"),
    ],
)
def test_missing_pipeline_is_reported(name: str, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        SpacyEncoder(pipeline=name).build()


# ── the layer ──


def test_padding_stays_zero_under_weight_decay_and_a_frozen_table_stays_as_it_is(pipeline: str) -> None:
    for trainable in (True, False):
        encoder = build_fitted_encoder(pipeline=pipeline, trainable=trainable)
        layer = encoder.input_layer()
        assert isinstance(layer, WordVectors)
        scale = torch.nn.Parameter(torch.ones(6))
        before = layer.table.detach().clone()
        optimizer = torch.optim.AdamW(
            [p for p in (*layer.parameters(), scale) if p.requires_grad], 0.1, weight_decay=0.1
        )
        for _ in range(3):
            optimizer.zero_grad()
            features = layer(encoder.collate(encode_texts(encoder, "tasty soup", "the waiter forgot the bread")))
            (features.values * scale - 1).pow(2).sum().backward()
            optimizer.step()
        assert not layer.table[PADDING].any()
        assert torch.equal(layer.table, before) is not trainable


def test_word_dropout_reads_words_as_unknown_in_training_only(pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline, word_dropout=0.5)
    layer: Any = encoder.input_layer()
    batch = encoder.collate(encode_texts(encoder, "soup tasty bread " * 80, "soup"))
    unknown = layer.table[UNKNOWN].detach()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        is_unknown = (layer.train()(batch).values == unknown).all(dim=2)
    assert 0.35 < is_unknown[0].float().mean() < 0.65
    assert not is_unknown[1, 1:].any()  # padding is unchanged
    assert not (layer.eval()(batch).values == unknown).all(dim=2).any()


def test_texts_of_a_batch_do_not_depend_on_each_other(pipeline: str) -> None:
    encoder = build_fitted_encoder(pipeline=pipeline)
    layer = encoder.input_layer()
    texts = ["tasty soup", "gazpacho", "the waiter , gazpacho tasty", "xylophone"]
    batch_values = layer(encoder.collate(encode_texts(encoder, *texts))).values
    for row, item in enumerate(encode_texts(encoder, *texts)):
        single_values = layer(encoder.collate([item])).values
        assert torch.equal(batch_values[row, : len(item.ids)], single_values[0])


# ── spelling, and the real data ──


@given(st.lists(st.text(alphabet="abdeilorstu'1", min_size=1, max_size=9), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_spelling_lookup_does_not_depend_on_other_words(words: list[str]) -> None:
    known = ["delicious", "service", "stale", "tables", "doubtless", "roasted", "lobster", "soiled", *words[:3]]
    index = SpellingIndex(known)
    index.look_up(words)
    for word in words:
        assert index.find_nearest(word) == SpellingIndex(known).find_nearest(word)


def test_spelling_index_returns_only_similar_words() -> None:
    index = SpellingIndex(["delicious", "service", "of", "u2", "atmosphere"])
    assert index.find_nearest("delicious") == "delicious"
    assert index.find_nearest("atmoshpere") == "atmosphere"
    for word in ("", "o", "of", "u2", "table", "12345", "deli-cious"):
        assert index.find_nearest(word) is None
    assert SpellingIndex([]).find_nearest("word") is None
    assert index.find_nearest("delicious" * 10_000) in {"delicious", None}


@pytest.mark.shared
def test_preprocessing_of_the_article_empties_three_real_sentences(medium_pipeline: str) -> None:
    if not REAL.is_file():
        pytest.skip("the real training file is not beside the checkout")
    corpus = SemEval2014(train=REAL).load()
    encoder = SpacyEncoder(pipeline=medium_pipeline, drop=DROPPED).build()  # type: ignore[arg-type]
    parsed = encoder.parse(corpus.inputs)
    empty = [name for name, text in zip(corpus.ids, parsed, strict=True) if encoder.is_empty(text)]
    assert sorted(empty) == ["1661", "2825", "3285"]
