"""Tests of the auxiliary task that predicts the transformer's vector of a text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_transformers import tiny_model

from absa_plugin.spacy_encoder import SpacyEncoder
from mtl_core import Corpus, MtlError
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_transformers.sentence_vector import SentenceVector
from mtl_transformers.sentence_vector_targets import compute_text_vectors, project_to_principal_components
from mtl_transformers.transformer_features import TransformerFeatures

pytest.importorskip("transformers")
TEXTS = [
    "The soup was lovely",
    "a good place",
    "the bread, the wait",
    "unlovely soup",
    "the soup was lovely",
    "wait",
]
TRAIN_INDICES = np.arange(4)


def build_auxiliary_data(texts: list[str]) -> AuxiliaryData:
    corpus = Corpus(
        ids=[str(row) for row in range(len(texts))],
        inputs=list(texts),
        labels={},
        splits=["train" if row < 4 else "test" for row in range(len(texts))],
    )
    encoder = SpacyEncoder(dimensions=4).build()
    parsed = encoder.parse(texts)
    encoder.fit(parsed)
    return AuxiliaryData(corpus, {}, encoder, parsed, TRAIN_INDICES)


def build_task(texts: list[str] = TEXTS, **keys: Any) -> AuxiliaryTask:
    fields: dict[str, Any] = {"model": tiny_model(), "max_tokens": 38, "cache": False, **keys}
    [task] = SentenceVector(**fields).build_tasks(build_auxiliary_data(texts))
    return task


def test_text_vector_is_the_mean_of_word_states() -> None:
    encoder = TransformerFeatures(model=tiny_model(), max_tokens=38, cache=False).build()
    vectors = compute_text_vectors(encoder, TEXTS)
    states = encoder.encode(encoder.parse(TEXTS))
    expected = np.stack([state.astype(np.float32).mean(axis=0) for state in states])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_labels_are_fitted_on_training_texts_only() -> None:
    task, other_task = build_task(), build_task([*TEXTS[:4], "a bread!", "good good good"])
    assert np.array_equal(np.array(task.labels)[:4], np.array(other_task.labels)[:4])
    assert not np.allclose(np.array(task.labels)[4:], np.array(other_task.labels)[4:])
    assert task.labels == build_task().labels


def test_dimensions_are_limited_by_the_training_texts() -> None:
    assert np.array(build_task(dimensions=2).labels).shape == (6, 2)
    assert np.array(build_task(dimensions=64).labels).shape == (6, 3)  # four centred texts span three dimensions


@given(st.integers(1, 8), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_components_have_mean_0_and_average_variance_1(dimensions: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=(40, 8)) * np.arange(1, 9) + 5).astype(np.float32)
    components = project_to_principal_components(vectors, np.arange(30), dimensions)[:30].astype(np.float64)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-4)
    assert components.var(axis=0).mean() == pytest.approx(1, abs=1e-4)
    assert (np.diff(components.var(axis=0)) <= 1e-6).all()
    covariance = np.atleast_2d(np.cov(components.T))
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)


def test_components_of_equal_texts_are_zero() -> None:
    assert not project_to_principal_components(np.ones((4, 3), dtype=np.float32), np.arange(4), 2).any()


def test_value_that_is_not_a_text_is_rejected() -> None:
    encoder = TransformerFeatures(model=tiny_model(), max_tokens=38, cache=False).build()
    with pytest.raises(MtlError):
        compute_text_vectors(encoder, [np.zeros(3)])


def test_cached_states_are_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_task(cache=tmp_path)

    def refuse(*_: object) -> None:
        raise AssertionError("the states were computed again")

    monkeypatch.setattr("mtl_transformers.frozen_model.FrozenModel.compute_states", refuse)
    assert len(build_task(cache=tmp_path).labels) == 6
