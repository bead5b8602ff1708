"""Tests of the encoder `transformer-features`: states of the user's words, computed once."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_transformers import tiny_model

from mtl_core import MtlError
from mtl_transformers.features import TransformerFeatures
from mtl_transformers.features_encoder import FeaturesEncoder

pytest.importorskip("transformers")
TEXTS = ["The waiter was lovely!", "breadmaker", "soup soup soup soup, good place", "The waiter was lovely!"]


def fitted(**keys: Any) -> FeaturesEncoder:
    encoder = TransformerFeatures(**{"model": tiny_model(), "max_tokens": 38, "cache": False, **keys}).build()
    encoder.fit(iter(encoder.parse(TEXTS)))
    return encoder


def encoded(encoder: FeaturesEncoder, texts: list[Any]) -> list[np.ndarray]:
    return encoder.encode(encoder.parse(texts))


@pytest.mark.parametrize("layers", [[-1], [0, 1]])
def test_states_are_means_over_the_pieces_of_each_word(layers: list[int]) -> None:
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(tiny_model()).eval(), AutoTokenizer.from_pretrained(tiny_model())
    for text, item in zip(TEXTS, encoded(fitted(layers=layers), TEXTS), strict=True):
        marked = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            every = model(**marked, output_hidden_states=True).hidden_states
        states = torch.stack([every[layer] for layer in layers]).mean(dim=0)[0]
        owners = marked.word_ids()  # for these texts, the tokenizer's words equal the encoder's words
        count = max(owner for owner in owners if owner is not None) + 1
        expected = [states[[owner == word for owner in owners]].mean(dim=0) for word in range(count)]
        assert item.dtype == np.float16
        torch.testing.assert_close(torch.from_numpy(item).float(), torch.stack(expected), atol=5e-3, rtol=5e-3)


def test_equal_texts_share_one_array() -> None:
    items = encoded(fitted(), TEXTS)
    assert items[0] is items[3]


def test_states_are_kept_on_disk_by_text_and_model(tmp_path: Path) -> None:
    first = encoded(fitted(cache=tmp_path), TEXTS)
    [path] = tmp_path.rglob("*.sqlite")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (3,)
        database.execute("UPDATE states SET data = zeroblob(length(data))")  # a read from the cache returns zeros
    again = encoded(fitted(cache=tmp_path), [*TEXTS, "bread"])
    assert [item.shape for item in again[:4]] == [item.shape for item in first]
    assert not any(item.any() for item in again[:4])
    assert again[4].any()
    for other in (fitted(cache=tmp_path, layers=[1]), fitted(cache=tmp_path, max_tokens=10)):
        assert encoded(other, TEXTS)[0].any()
    assert len(list(tmp_path.rglob("*.sqlite"))) == 3


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    first = encoded(fitted(cache=tmp_path), TEXTS)
    [path] = tmp_path.rglob("*.sqlite")
    path.write_bytes(b"this is no database" * 100)
    for _ in range(2):
        again = encoded(fitted(cache=tmp_path), TEXTS)
        assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (3,)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MtlError, match=r"encoder\.cache: .*file.* cannot be written"):
        encoded(fitted(cache=tmp_path / "file"), TEXTS)
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "file"))
    assert len(encoded(fitted(cache=True), TEXTS)) == 4


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_transformers.state_cache.LARGEST", 1000)
    encoder = fitted(cache=tmp_path)
    for number in range(20):
        encoded(encoder, [f"soup {number} {number} {number} good"])
    [path] = tmp_path.rglob("*.sqlite")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT sum(length(data)) FROM states").fetchone()[0] <= 1000
    assert len(encoded(encoder, ["soup 0 0 0 good"])[0]) == 5


def test_another_model_is_refused() -> None:
    state = json.loads(json.dumps(fitted().state()))
    encoder = TransformerFeatures(model=tiny_model("electra"), max_tokens=38, cache=False).build()
    encoder.restore(state)
    with pytest.raises(MtlError, match="not the model that the run was trained with"):
        encoded(encoder, ["soup"])
    with pytest.raises(MtlError, match=r"encoder\.layers: 7"):
        fitted(layers=[7])


def test_nothing_to_read_is_one_unknown_word() -> None:
    encoder = fitted()
    [parsed] = encoder.parse([" "])
    [item] = encoder.encode([parsed])
    assert encoder.is_empty(parsed)
    assert item.shape == (1, 16)
    assert encoder.tokens(parsed) == ["<unknown>"]
