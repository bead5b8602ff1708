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
from mtl_transformers.features_encoder import FeaturesEncoder
from mtl_transformers.transformer_features import TransformerFeatures

pytest.importorskip("transformers")
TEXTS = ["The waiter was lovely!", "breadmaker", "soup soup soup soup, good place", "The waiter was lovely!"]


def fit_encoder(**keys: Any) -> FeaturesEncoder:
    encoder = TransformerFeatures(**{"model": tiny_model(), "max_tokens": 38, "cache": False, **keys}).build()
    encoder.fit(iter(encoder.parse(TEXTS)))
    return encoder


def encode_texts(encoder: FeaturesEncoder, texts: list[Any]) -> list[np.ndarray]:
    return encoder.encode(encoder.parse(texts))


@pytest.mark.parametrize("layers", [[-1], [0, 1]])
def test_states_are_means_over_subwords_per_word(layers: list[int]) -> None:
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(tiny_model()).eval(), AutoTokenizer.from_pretrained(tiny_model())
    for text, item in zip(TEXTS, encode_texts(fit_encoder(layers=layers), TEXTS), strict=True):
        encoding = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            hidden_states = model(**encoding, output_hidden_states=True).hidden_states
        states = torch.stack([hidden_states[layer] for layer in layers]).mean(dim=0)[0]
        word_ids = encoding.word_ids()  # for these texts, the tokenizer's words equal the encoder's words
        count = max(word_id for word_id in word_ids if word_id is not None) + 1
        expected = [states[[word_id == word for word_id in word_ids]].mean(dim=0) for word in range(count)]
        assert item.dtype == np.float16
        torch.testing.assert_close(torch.from_numpy(item).float(), torch.stack(expected), atol=5e-3, rtol=5e-3)


def test_equal_texts_share_one_array() -> None:
    items = encode_texts(fit_encoder(), TEXTS)
    assert items[0] is items[3]


def test_states_are_cached_on_disk_by_text_and_model(tmp_path: Path) -> None:
    first = encode_texts(fit_encoder(cache=tmp_path), TEXTS)
    [path] = tmp_path.rglob("*.sqlite")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (3,)
        database.execute("UPDATE states SET data = zeroblob(length(data))")  # a read from the cache returns zeros
    cached = encode_texts(fit_encoder(cache=tmp_path), [*TEXTS, "bread"])
    assert [item.shape for item in cached[:4]] == [item.shape for item in first]
    assert not any(item.any() for item in cached[:4])
    assert cached[4].any()
    for other_encoder in (fit_encoder(cache=tmp_path, layers=[1]), fit_encoder(cache=tmp_path, max_tokens=10)):
        assert encode_texts(other_encoder, TEXTS)[0].any()
    assert len(list(tmp_path.rglob("*.sqlite"))) == 3


def test_damaged_cache_is_recreated(tmp_path: Path) -> None:
    first = encode_texts(fit_encoder(cache=tmp_path), TEXTS)
    [path] = tmp_path.rglob("*.sqlite")
    path.write_bytes(b"this is no database" * 100)
    for _ in range(2):
        recomputed = encode_texts(fit_encoder(cache=tmp_path), TEXTS)
        assert all(np.array_equal(one, other) for one, other in zip(first, recomputed, strict=True))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (3,)


def test_unwritable_cache_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MtlError, match=r"encoder\.cache: .*file.* cannot be written"):
        encode_texts(fit_encoder(cache=tmp_path / "file"), TEXTS)
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "file"))
    assert len(encode_texts(fit_encoder(cache=True), TEXTS)) == 4


def test_oldest_states_are_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_core.data.disk_cache.MAX_CACHE_BYTES", 1000)
    encoder = fit_encoder(cache=tmp_path)
    for number in range(20):
        encode_texts(encoder, [f"soup {number} {number} {number} good"])
    [path] = tmp_path.rglob("*.sqlite")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT sum(length(data)) FROM states").fetchone()[0] <= 1000
    assert len(encode_texts(encoder, ["soup 0 0 0 good"])[0]) == 5


def test_another_model_is_rejected() -> None:
    state = json.loads(json.dumps(fit_encoder().state()))
    encoder = TransformerFeatures(model=tiny_model("electra"), max_tokens=38, cache=False).build()
    encoder.restore(state)
    with pytest.raises(MtlError, match="not the model that the run was trained with"):
        encode_texts(encoder, ["soup"])
    with pytest.raises(MtlError, match=r"encoder\.layers: 7"):
        fit_encoder(layers=[7])


def test_empty_text_is_one_unknown_token() -> None:
    encoder = fit_encoder()
    [parsed] = encoder.parse([" "])
    [item] = encoder.encode([parsed])
    assert encoder.is_empty(parsed)
    assert item.shape == (1, 16)
    assert encoder.tokens(parsed) == ["<unknown>"]
