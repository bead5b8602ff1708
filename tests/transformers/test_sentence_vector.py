"""Tests of the auxiliary task that predicts the transformer's vector of a text."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_transformers import tiny_model

from absa_plugin.spacy_encoder import SpacyEncoder
from mtl_core import Corpus, MtlError
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_transformers.features import TransformerFeatures
from mtl_transformers.sentence_vector import SentenceVector
from mtl_transformers.text_vectors import principal_components, text_vectors

pytest.importorskip("transformers")
TEXTS = [
    "The soup was lovely",
    "a good place",
    "the bread, the wait",
    "unlovely soup",
    "the soup was lovely",
    "wait",
]
TRAIN = np.arange(4)


def data(texts: list[str]) -> AuxiliaryData:
    corpus = Corpus(
        ids=[str(row) for row in range(len(texts))],
        inputs=list(texts),
        labels={},
        parts=["train"] * 4 + ["test"] * (len(texts) - 4),
    )
    encoder = SpacyEncoder(dimensions=4).build()
    parsed = encoder.parse(texts)
    encoder.fit(parsed)
    return AuxiliaryData(corpus, {}, encoder, parsed, TRAIN)


def made(texts: list[str] = TEXTS, **keys: object) -> AuxiliaryTask:
    [task] = SentenceVector(**{"model": tiny_model(), "max_tokens": 38, "cache": False, **keys}).tasks(data(texts))
    return task


def test_a_vector_is_the_mean_of_the_states_of_its_words() -> None:
    encoder = TransformerFeatures(model=tiny_model(), max_tokens=38, cache=False).build()
    vectors = text_vectors(encoder, TEXTS)
    states = encoder.encode(encoder.parse(TEXTS))
    expected = np.stack([state.astype(np.float32).mean(axis=0) for state in states])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_labels_are_learned_from_training_texts_alone() -> None:
    first, other = made(), made([*TEXTS[:4], "a bread!", "good good good"])
    assert np.array_equal(np.array(first.labels)[:4], np.array(other.labels)[:4])
    assert not np.allclose(np.array(first.labels)[4:], np.array(other.labels)[4:])
    assert first.labels == made().labels


def test_there_are_as_many_numbers_as_training_texts_can_carry() -> None:
    assert np.array(made(dimensions=2).labels).shape == (6, 2)
    assert np.array(made(dimensions=64).labels).shape == (6, 3)  # four centred texts span three dimensions


@given(st.integers(1, 8), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_components_have_mean_0_and_variance_1_on_average(dimensions: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=(40, 8)) * np.arange(1, 9) + 5).astype(np.float32)
    found = principal_components(vectors, np.arange(30), dimensions)[:30].astype(np.float64)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    assert found.var(axis=0).mean() == pytest.approx(1, abs=1e-4)
    assert (np.diff(found.var(axis=0)) <= 1e-6).all()
    covariance = np.atleast_2d(np.cov(found.T))
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)


def test_equal_texts_make_no_components() -> None:
    assert not principal_components(np.ones((4, 3), dtype=np.float32), np.arange(4), 2).any()


def test_what_is_no_text_is_refused() -> None:
    encoder = TransformerFeatures(model=tiny_model(), max_tokens=38, cache=False).build()
    with pytest.raises(MtlError):
        text_vectors(encoder, [np.zeros(3)])


def test_the_transformer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(cache=tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("the states were computed again")

    monkeypatch.setattr("mtl_transformers.frozen_model.FrozenModel.states", refuse)
    assert len(made(cache=tmp_path).labels) == 6
