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

from absa_plugin import word_encoder
from absa_plugin.semeval import SemEval2014
from absa_plugin.spacy_encoder import SpacyEncoder
from absa_plugin.spelling import SpellingIndex
from absa_plugin.stop_words import STOP_WORDS
from absa_plugin.word_encoder import PADDING, UNKNOWN, TextItem, WordEncoder
from absa_plugin.word_vectors import WordVectors
from mtl_core.errors import MtlError

SHARED = Path(__file__).parents[3] / "shared"
REAL = SHARED / "data" / "semeval2014" / "Restaurants_Train_v2.xml"
MEDIUM = SHARED / "models" / "en_core_web_md"
CLEANING = ["stop-words", "numbers", "punctuation"]

TRAINING = [
    "The soup was delicious and the waiter friendly.",
    "Terrible service, but delicious bread!",
    "The waiter forgot the bread; the soup was cold.",
]


def fitted(texts: list[str] | None = None, **fields: Any) -> WordEncoder:
    encoder = SpacyEncoder(**fields).build()
    encoder.fit(encoder.parse(TRAINING if texts is None else texts))
    return encoder


def items(encoder: WordEncoder, *texts: str) -> list[TextItem]:
    return encoder.encode(encoder.parse(texts))


def read_as(encoder: WordEncoder, text: str) -> list[str]:
    """Return the words that the ids of a text represent."""
    words = encoder.state()["words"]
    item = items(encoder, text)[0]
    return [words[row] if row < len(words) else f"*{item.unseen[row - len(words)]}" for row in item.ids]


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
def medium() -> str:
    if not MEDIUM.is_dir():
        pytest.skip("the pipeline en_core_web_md is not beside the checkout")
    return str(MEDIUM)


# ── tokens and ids ──


def test_words_are_lower_cased_and_the_vocabulary_goes_by_frequency() -> None:
    encoder = fitted()
    words = encoder.state()["words"]
    assert words[:3] == ["<padding>", "<unknown>", "the"]
    assert all(word == word.lower() for word in words)
    assert len(words) == len(set(words))
    assert read_as(encoder, "THE Soup WAS Delicious") == ["the", "soup", "was", "delicious"]


def test_a_misspelt_word_is_read_as_the_nearest_known_one_and_nonsense_as_unknown() -> None:
    encoder = fitted()
    assert read_as(encoder, "delicous") == ["delicious"]
    assert read_as(encoder, "freindly waitr") == ["friendly", "waiter"]
    assert read_as(encoder, "xylophone qq 77 ♥") == ["<unknown>"] * 4


def test_a_word_of_the_pipeline_that_training_never_saw_gets_the_pipelines_vector(pipeline: str) -> None:
    encoder = fitted(pipeline=pipeline)
    assert read_as(encoder, "Tasty gazpacho soup") == ["*tasty", "*gazpacho", "soup"]
    assert read_as(encoder, "gazpachoo") == ["<unknown>"]  # no training word has a similar spelling
    layer = encoder.input_layer()
    vectors = spacy.load(pipeline).vocab
    features = layer(encoder.collate(items(encoder, "tasty gazpacho soup", "soup", "bread tasty tasty")))
    for row, words in enumerate([["tasty", "gazpacho", "soup"], ["soup"], ["bread", "tasty", "tasty"]]):
        for place, word in enumerate(words):
            assert np.array_equal(features.values[row, place].detach().numpy(), vectors.get_vector(word)), word
    assert features.mask.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert not features.values[1, 1:].any()


def test_a_training_word_without_a_vector_starts_from_its_nearest_neighbour_or_the_mean(pipeline: str) -> None:
    encoder = fitted(["delicous soup", "delicious bread", "xylophone"], pipeline=pipeline)
    table = encoder.input_layer().table.detach()
    row = {word: table[index] for index, word in enumerate(encoder.state()["words"])}
    assert torch.equal(row["delicous"], row["delicious"])
    mean = (row["soup"] + row["bread"] + row["delicious"]) / 3
    torch.testing.assert_close(row["xylophone"], mean)
    torch.testing.assert_close(row["<unknown>"], mean)
    assert not row["<padding>"].any()


def test_a_pipeline_that_knows_no_training_word_is_no_crash(pipeline: str) -> None:
    encoder = fitted(["xylophone", "zither harp"], pipeline=pipeline)
    table = encoder.input_layer().table
    assert torch.isfinite(table).all()
    assert table.shape == (5, 6)


@pytest.mark.shared
def test_the_real_pipeline_knows_words_that_training_never_saw(medium: str) -> None:
    encoder = fitted(pipeline=medium)
    assert read_as(encoder, "Scrumptious soup, deliciouus") == ["*scrumptious", "soup", ",", "delicious"]
    features = encoder.input_layer()(encoder.collate(items(encoder, "scrumptious soup")))
    vocab = spacy.load(medium, exclude=["tagger", "parser", "ner", "tok2vec"]).vocab
    for place, word in enumerate(["scrumptious", "soup"]):
        assert np.array_equal(features.values[0, place].detach().numpy(), vocab.get_vector(word))


PIECES = [
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
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))


@cache
def shared_encoder(*drop: str) -> WordEncoder:
    return fitted(drop=list(drop), max_tokens=10, dimensions=4)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from([(), ("punctuation",), tuple(CLEANING)]))
def test_any_text_becomes_ids_that_line_up_with_its_tokens(texts: list[str], drop: tuple[str, ...]) -> None:
    encoder = shared_encoder(*drop)
    parsed = encoder.parse(texts)
    found = encoder.encode(parsed)
    size = len(encoder.state()["words"])
    for text, one, item in zip(texts, parsed, found, strict=True):
        assert 1 <= encoder.length(item) == len(item.ids) <= 10
        assert PADDING not in item.ids
        assert all(0 < row < size for row in item.ids)
        tokens = encoder.tokens(one)
        assert len(tokens) == len(item.ids)
        words, places = encoder.words(one), encoder.places(one)
        assert [words[place] for place in places] == ([] if encoder.is_empty(one) else tokens)
        assert places == sorted(set(places))
        assert "".join("".join(words).split()) == "".join(text.split())
        if encoder.is_empty(one):
            assert (item.ids.tolist(), tokens) == ([UNKNOWN], ["<unknown>"])
        else:
            assert all(token in text and token.strip() for token in tokens)
    again = encoder.encode(encoder.parse(texts))
    assert [item.ids.tolist() for item in again] == [item.ids.tolist() for item in found]
    batch = encoder.collate(found)
    assert batch.lengths.tolist() == [len(item.ids) for item in found]
    assert ((batch.ids != PADDING).sum(dim=1) == batch.lengths).all()


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u2003"])
def test_nothing_but_space_is_empty_and_reads_as_one_unknown_word(text: str) -> None:
    encoder = fitted()
    assert encoder.is_empty(encoder.parse([text])[0])
    assert items(encoder, text)[0].ids.tolist() == [UNKNOWN]


def test_tokens_are_as_they_were_written() -> None:
    encoder = fitted()
    [parsed] = encoder.parse(["The  Soup\nwasn't DELICOUS!"])
    assert encoder.tokens(parsed) == ["The", "Soup", "was", "n't", "DELICOUS", "!"]


def test_what_is_dropped() -> None:
    text = "The soup was not 10 or ten dollars , truly !"
    for drop, left in (
        ([], text.split()),
        (["punctuation"], ["The", "soup", "was", "not", "10", "or", "ten", "dollars", "truly"]),
        (["numbers"], ["The", "soup", "was", "not", "or", "dollars", ",", "truly", "!"]),
        (["stop-words"], ["soup", "10", "ten", "dollars", ",", "truly", "!"]),
        (CLEANING, ["soup", "dollars", "truly"]),
    ):
        encoder = fitted(drop=drop)
        [parsed] = encoder.parse([text])
        assert encoder.tokens(parsed) == left
        assert len(encoder.encode([parsed])[0].ids) == len(left)


def test_stop_words_are_dropped_with_either_apostrophe_and_in_any_case() -> None:
    encoder = fitted(drop=["stop-words"])
    for text in ("It's", "it\u2019s", "IT'S", "They're", "they\u2019re"):
        assert encoder.is_empty(encoder.parse([text])[0]), text
    assert "not" in STOP_WORDS
    assert all(word == word.lower().strip() for word in STOP_WORDS)


def test_long_texts_are_cut() -> None:
    encoder = fitted(max_tokens=7)
    [parsed] = encoder.parse(["soup " * 50])
    assert len(encoder.encode([parsed])[0].ids) == len(encoder.tokens(parsed)) == 7


def test_a_hundred_thousand_characters_and_more_are_read() -> None:
    encoder = fitted()
    for text in ("soup " * 20_000, "soup" * 50_000, "!" * 100_001, "a" * 1_100_000):
        [parsed] = encoder.parse([text])
        [item] = encoder.encode([parsed])
        assert 1 <= len(item.ids) <= 256
        assert len(encoder.tokens(parsed)) == len(item.ids)


def test_attention_can_be_told_of_a_text_of_which_nothing_is_left() -> None:
    encoder = fitted(drop=["stop-words"])
    [parsed] = encoder.parse(["It was not"])
    assert encoder.tokens(parsed) == ["<unknown>"]
    assert encoder.length(encoder.encode([parsed])[0]) == 1


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(MtlError, match="the encoder 'spacy' reads texts or lists of words, found int"):
        fitted().parse(["fine", 3])
    with pytest.raises(MtlError, match="the encoder 'spacy' reads lists of words, found NoneType in a list"):
        fitted().parse([["fine", None]])


# ── words, word indices and the vocabulary ──


def test_given_words_are_tokens_and_every_word_keeps_its_place() -> None:
    encoder = fitted(drop=CLEANING, max_tokens=3)
    given = ["The", "soup", "", "was", "not", "10", "New York", "\n", "delicious", "bread", "!"]
    for words in (given, tuple(given)):
        [parsed] = encoder.parse([words])
        assert encoder.words(parsed) == given
        assert encoder.places(parsed) == [1, 6, 8]
        assert encoder.tokens(parsed) == ["soup", "New York", "delicious"]
        vocabulary = encoder.state()["words"]
        assert encoder.encode([parsed])[0].ids.tolist() == [
            vocabulary.index("soup"),
            UNKNOWN,
            vocabulary.index("delicious"),
        ]


def test_white_space_is_no_word_of_a_text() -> None:
    encoder = fitted(drop=["punctuation"])
    [parsed] = encoder.parse(["The  soup ,\n\n cold !"])
    assert encoder.words(parsed) == ["The", "soup", ",", "cold", "!"]
    assert encoder.places(parsed) == [0, 1, 3]


@pytest.mark.parametrize("nothing", ["", " \n", "It was not", [], [""], ["It", "was", "not"]])
def test_of_a_text_of_which_nothing_is_left_no_word_has_a_place(nothing: Any) -> None:
    encoder = fitted(drop=["stop-words"])
    [parsed] = encoder.parse([nothing])
    assert encoder.is_empty(parsed)
    assert encoder.places(parsed) == []
    assert encoder.tokens(parsed) == ["<unknown>"]
    assert encoder.encode([parsed])[0].ids.tolist() == [UNKNOWN]


def test_a_word_learned_from_a_list_is_known_in_a_text() -> None:
    encoder = WordEncoder("blank:en", True, 4, frozenset(), 0.0, 256)
    encoder.fit(iter(encoder.parse([["Soup", "do", "n't"], ["soup"]])))
    assert encoder.vocabulary == ["soup", "do", "n't"]
    assert read_as(encoder, "don't SOUP") == ["do", "n't", "soup"]


def test_token_ids_are_places_in_the_vocabulary(pipeline: str) -> None:
    encoder = fitted(pipeline=pipeline)
    batch = encoder.collate(items(encoder, "The soup, tasty xylophone", "bread"))
    names = [[encoder.vocabulary[i] if i >= 0 else None for i in row] for row in encoder.token_ids(batch).tolist()]
    assert names == [["the", "soup", ",", None, None], ["bread", None, None, None, None]]


def test_hidden_tokens_are_read_as_unknown_and_the_others_as_before(pipeline: str) -> None:
    encoder = fitted(pipeline=pipeline)
    layer = encoder.input_layer()
    batch = encoder.collate(items(encoder, "The tasty soup", "bread gazpacho"))
    hidden = torch.tensor([[False, True, False], [True, False, True]])
    before, after = layer(batch), layer(encoder.hide(batch, hidden))
    assert torch.equal(after.mask, before.mask)
    unknown = layer.table[UNKNOWN]
    assert torch.equal(after.values[0, 1], unknown)
    assert torch.equal(after.values[1, 0], unknown)
    assert torch.equal(after.values[~hidden], before.values[~hidden])
    assert not after.values[1, 2].any()  # padding stays padding
    assert not torch.equal(before.values[0, 1], unknown)


# ── state ──


@settings(max_examples=12, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_restored_encoder_gives_the_same_items(texts: list[str]) -> None:
    encoder = shared_encoder()
    other = SpacyEncoder(max_tokens=10, dimensions=4).build()
    other.restore(json.loads(json.dumps(encoder.state())))
    for one, two in zip(items(encoder, *texts), items(other, *texts), strict=True):
        assert one.ids.tolist() == two.ids.tolist()
        assert one.unseen == two.unseen


def test_a_restored_encoder_with_vectors_gives_the_same_features(pipeline: str) -> None:
    encoder, other = fitted(pipeline=pipeline), SpacyEncoder(pipeline=pipeline).build()
    other.restore(encoder.state())
    texts = ("tasty soup", "gazpacho delicous gazpacho", "unheard", "")
    batches = [one.collate(items(one, *texts)) for one in (encoder, other)]
    assert torch.equal(batches[0].ids, batches[1].ids)
    assert torch.equal(batches[0].extra, batches[1].extra)
    assert torch.equal(encoder.input_layer().table, other.input_layer().table)


def test_a_run_does_not_take_vectors_of_another_width(pipeline: str) -> None:
    with pytest.raises(MtlError, match=r"the run's word vectors have the width 9, those of .* 6"):
        SpacyEncoder(pipeline=pipeline).build().restore(fitted(dimensions=9).state())


def test_fitting_again_forgets_the_first_vocabulary() -> None:
    encoder = fitted()
    assert read_as(encoder, "delicous") == ["delicious"]
    encoder.fit(encoder.parse(["a malicious act"]))
    assert read_as(encoder, "delicious soup") == ["malicious", "<unknown>"]


def test_a_long_stream_of_new_words_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_encoder, "FORGET_AFTER", 50)
    encoder = fitted()
    before = [read_as(encoder, text) for text in ("delicous soup", "waiter xylophone")]
    size = len(encoder._nlp.vocab)
    for start in range(0, 400, 20):
        items(encoder, " ".join(f"word{number}" for number in range(start, start + 20)))
    assert len(encoder._nlp.vocab) < size + 200
    assert [read_as(encoder, text) for text in ("delicous soup", "waiter xylophone")] == before


def test_texts_parsed_before_the_pipeline_was_let_go_are_still_read(pipeline: str) -> None:
    encoder = fitted(pipeline=pipeline)
    texts = ["tasty delicous soup", ["gazpacho", "deliciouss", "xylophone"]]
    parsed = encoder.parse(texts)
    before = encoder.encode(parsed)
    encoder.release()
    assert [(item.ids.tolist(), item.unseen) for item in encoder.encode(parsed)] == [
        (item.ids.tolist(), item.unseen) for item in before
    ]
    assert [encoder.words(one) for one in parsed] == [["tasty", "delicous", "soup"], texts[1]]


def test_a_stream_of_training_texts_is_fitted_however_many_words_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_encoder, "FORGET_AFTER", 50)
    encoder = SpacyEncoder().build()
    encoder.fit(one for part in range(30) for one in encoder.parse([f"p{part}w{word}" for word in range(20)]))
    assert len(encoder.vocabulary) == 600


def test_vectors_that_are_not_there_must_be_tuned() -> None:
    with pytest.raises(MtlError, match="has no word vectors, so they must be trained"):
        SpacyEncoder(tune=False).build()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("blank:xx-nothing", "spaCy has no language 'xx-nothing'"),
        ("./nowhere", "is not the folder of a spaCy pipeline"),
        ("en_core_web_unheard_of", "cannot be loaded.*python -m spacy download en_core_web_unheard_of"),
    ],
)
def test_a_pipeline_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        SpacyEncoder(pipeline=name).build()


# ── the layer ──


def test_padding_stays_zero_under_weight_decay_and_a_frozen_table_stays_as_it_is(pipeline: str) -> None:
    for tune in (True, False):
        encoder = fitted(pipeline=pipeline, tune=tune)
        layer = encoder.input_layer()
        assert isinstance(layer, WordVectors)
        scale = torch.nn.Parameter(torch.ones(6))
        before = layer.table.detach().clone()
        optimizer = torch.optim.AdamW(
            [p for p in (*layer.parameters(), scale) if p.requires_grad], 0.1, weight_decay=0.1
        )
        for _ in range(3):
            optimizer.zero_grad()
            features = layer(encoder.collate(items(encoder, "tasty soup", "the waiter forgot the bread")))
            (features.values * scale - 1).pow(2).sum().backward()
            optimizer.step()
        assert not layer.table[PADDING].any()
        assert torch.equal(layer.table, before) is not tune


def test_word_dropout_reads_words_as_unknown_in_training_only(pipeline: str) -> None:
    encoder = fitted(pipeline=pipeline, word_dropout=0.5)
    layer = encoder.input_layer()
    batch = encoder.collate(items(encoder, "soup tasty bread " * 80, "soup"))
    unknown = layer.table[UNKNOWN].detach()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = (layer.train()(batch).values == unknown).all(dim=2)
    assert 0.35 < dropped[0].float().mean() < 0.65
    assert not dropped[1, 1:].any()  # padding is unchanged
    assert not (layer.eval()(batch).values == unknown).all(dim=2).any()


def test_texts_of_a_batch_do_not_depend_on_each_other(pipeline: str) -> None:
    encoder = fitted(pipeline=pipeline)
    layer = encoder.input_layer()
    texts = ["tasty soup", "gazpacho", "the waiter , gazpacho tasty", "xylophone"]
    together = layer(encoder.collate(items(encoder, *texts))).values
    for row, item in enumerate(items(encoder, *texts)):
        alone = layer(encoder.collate([item])).values
        assert torch.equal(together[row, : len(item.ids)], alone[0])


# ── spelling, and the real data ──


@given(st.lists(st.text(alphabet="abdeilorstu'1", min_size=1, max_size=9), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_words_are_spelt_alike_alone_and_together(words: list[str]) -> None:
    known = ["delicious", "service", "stale", "tables", "doubtless", "roasted", "lobster", "soiled", *words[:3]]
    together = SpellingIndex(known)
    together.look_up(words)
    for word in words:
        assert together.nearest(word) == SpellingIndex(known).nearest(word)


def test_the_spelling_index_answers_only_what_is_near() -> None:
    index = SpellingIndex(["delicious", "service", "of", "u2", "atmosphere"])
    assert index.nearest("delicious") == "delicious"
    assert index.nearest("atmoshpere") == "atmosphere"
    for word in ("", "o", "of", "u2", "table", "12345", "deli-cious"):
        assert index.nearest(word) is None
    assert SpellingIndex([]).nearest("word") is None
    assert index.nearest("delicious" * 10_000) in {"delicious", None}


@pytest.mark.shared
def test_the_articles_cleaning_leaves_nothing_of_three_real_sentences(medium: str) -> None:
    if not REAL.is_file():
        pytest.skip("the real training file is not beside the checkout")
    corpus = SemEval2014(train=REAL).load()
    encoder = SpacyEncoder(pipeline=medium, drop=CLEANING).build()  # type: ignore[arg-type]
    parsed = encoder.parse(corpus.inputs)
    empty = [name for name, text in zip(corpus.ids, parsed, strict=True) if encoder.is_empty(text)]
    assert sorted(empty) == ["1661", "2825", "3285"]
