"""Tests of the encoder `distilled`: vectors of the transformer, disk cache, and out-of-vocabulary words."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_transformers import tiny_model

from mtl_core import MtlError
from mtl_transformers.distilled import DistilledWords
from mtl_transformers.distilled_encoder import DistilledEncoder
from mtl_transformers.distilled_layer import N_SPECIAL_ROWS
from mtl_transformers.pca import PCA

pytest.importorskip("transformers")
TEXTS = ["The soup was lovely!", "Good bread, lovely place.", "the waiter", "un place"]
SMALL: dict[str, Any] = {"dimensions": 6, "cache": False}


def fit_encoder(**keys: Any) -> DistilledEncoder:
    encoder = DistilledWords(**{"model": tiny_model(), **SMALL, **keys}).build()
    encoder.fit(encoder.parse(TEXTS))
    return encoder


def build_input_layer(**keys: Any) -> Any:
    return fit_encoder(**keys).input_layer()


def compute_raw_vectors(words: list[str], layer: int = -1, pooling: str = "subwords") -> torch.Tensor:
    """Compute the transformer's vector of each isolated word directly with transformers."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(tiny_model()).eval(), AutoTokenizer.from_pretrained(tiny_model())
    vectors = []
    with torch.no_grad():
        for word in words:
            states = model(**tokenizer(word, return_tensors="pt"), output_hidden_states=True).hidden_states[layer][0]
            vectors.append({"subwords": states[1:-1], "first": states[:1], "all": states}[pooling].mean(dim=0))
    return torch.stack(vectors)


@pytest.mark.parametrize(("layer", "pooling"), [(-1, "subwords"), (1, "first"), (0, "all")])
def test_vectors_are_projected_transformer_states(layer: int, pooling: str) -> None:
    encoder = fit_encoder(layers=[layer], pooling=pooling)
    input_layer: Any = encoder.input_layer()
    raw = compute_raw_vectors(list(encoder.vocabulary), layer, pooling)
    table = input_layer.table[N_SPECIAL_ROWS:].detach()
    torch.testing.assert_close(input_layer.mean, raw.mean(dim=0), atol=1e-5, rtol=1e-4)
    centred = raw - raw.mean(dim=0)
    torch.testing.assert_close(table, centred @ input_layer.matrix, atol=1e-4, rtol=1e-3)
    # PCA: no projection to six dimensions retains more variance, and the axes are uncorrelated.
    scale = input_layer.matrix.norm(dim=0)
    torch.testing.assert_close(scale, scale[:1].expand(6))
    retained_variance = (table / scale).pow(2).sum()
    max_variance = torch.linalg.svdvals(centred)[:6].pow(2).sum()
    torch.testing.assert_close(retained_variance, max_variance, atol=1e-3, rtol=1e-3)
    assert table.norm(dim=1).mean() == pytest.approx(1, abs=1e-4)


def test_several_layers_are_averaged() -> None:
    encoder = fit_encoder(layers=[0, 2])
    expected = (compute_raw_vectors(list(encoder.vocabulary), 0) + compute_raw_vectors(list(encoder.vocabulary), 2)) / 2
    torch.testing.assert_close(encoder.input_layer().mean, expected.mean(dim=0), atol=1e-5, rtol=1e-4)


def test_whitened_dimensions_have_one_variance() -> None:
    layer = build_input_layer(whiten=True, norm=3.0)
    table = layer.table[N_SPECIAL_ROWS:].detach()
    covariance = table.T @ table / len(table)
    torch.testing.assert_close(covariance, torch.eye(6) * covariance[0, 0], atol=1e-3, rtol=1e-3)
    assert table.norm(dim=1).mean() == pytest.approx(3, abs=1e-3)


@pytest.mark.parametrize("vectors", [np.zeros((0, 4)), np.zeros((3, 4)), np.ones((1, 4)), np.eye(4)[:2]])
def test_few_words_give_finite_vectors(vectors: np.ndarray) -> None:
    projection = PCA(3, whiten=True, norm=1.0).fit(vectors.astype(np.float32))
    assert np.isfinite(projection.matrix).all()
    assert np.isfinite(projection.transform(vectors.astype(np.float32))).all()


def test_oov_word_has_its_transformer_vector() -> None:
    """In evaluation mode, the vector of an out-of-vocabulary word is that of the row in the table."""
    encoder = fit_encoder()
    layer: Any = encoder.input_layer().eval()
    assert "wait" not in encoder.vocabulary
    with torch.no_grad():
        features = layer(encoder.collate(encoder.encode(encoder.parse(["soup wait soup", "wait", "bread"]))))
    expected = (compute_raw_vectors(["wait"])[0] - layer.mean) @ layer.matrix
    for row, token_index in ((0, 1), (1, 0)):
        torch.testing.assert_close(features.values[row, token_index], expected, atol=1e-4, rtol=1e-3)
    assert torch.equal(features.values[0, 0], features.values[0, 2])
    assert torch.equal(features.values[2, 0], layer.table[N_SPECIAL_ROWS + list(encoder.vocabulary).index("bread")])


def test_oov_unknown_requires_no_model(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model(), tmp_path / "own"))
    encoder = fit_encoder(oov="unknown", model=folder)
    restored = DistilledWords(model=folder, oov="unknown", **SMALL).build()
    shutil.rmtree(folder)
    restored.restore(json.loads(json.dumps(encoder.state())))
    layer = restored.input_layer()
    assert layer.table.shape == (len(encoder.vocabulary) + N_SPECIAL_ROWS, 6)
    batch = restored.collate(restored.encode(restored.parse(["soup wait"])))
    assert batch.rows[0, 1] == 1
    assert batch.oov_vectors.shape == (0, 16)


def test_prediction_rejects_another_model(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model(), tmp_path / "own"))
    state = fit_encoder(model=folder).state()
    encoder = DistilledWords(model=folder, **SMALL).build()
    encoder.restore(state)
    assert len(encoder.collate(encoder.encode(encoder.parse(["wait"]))).oov_vectors) == 1
    shutil.copy(tiny_model("electra") / "model.safetensors", folder)
    encoder = DistilledWords(model=folder, **SMALL).build()
    encoder.restore(state)
    with pytest.raises(MtlError, match="not the model that the run was trained with"):
        encoder.encode(encoder.parse(["wait"]))
    shutil.rmtree(folder)
    encoder = DistilledWords(model=folder, **SMALL).build()
    encoder.restore(state)
    with pytest.raises(MtlError, match=r"no such folder: .*own"):
        encoder.encode(encoder.parse(["wait"]))


def list_cache_files(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.safetensors"))


def test_vectors_are_cached_on_disk(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    cache = tmp_path / "kept"
    first = build_input_layer(cache=cache)
    [path] = list_cache_files(cache)
    assert torch.equal(build_input_layer(cache=cache).table, first.table)
    raw = load_file(path)["vectors"]
    save_file({"vectors": raw + 1}, path)  # a read from the cache returns these values
    torch.testing.assert_close(build_input_layer(cache=cache).mean, first.mean + 1)
    path.write_bytes(b"torn")
    assert torch.equal(build_input_layer(cache=cache).table, first.table)
    assert np.array_equal(load_file(path)["vectors"], raw), "a damaged file was not replaced"
    fit_encoder(cache=cache, layers=[1]).input_layer()
    fit_encoder(cache=cache, pooling="first").input_layer()
    assert len(list_cache_files(cache)) == 3
    assert torch.equal(build_input_layer().table, first.table), "another result without a cache"


def test_cache_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.delenv("MTL_CACHE", raising=False)
    fit_encoder(cache=True).input_layer()
    assert len(list_cache_files(tmp_path / "user" / "mtl")) == 1
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "own"))
    fit_encoder(cache=True).input_layer()
    assert len(list_cache_files(tmp_path / "own")) == 1
    (tmp_path / "file").touch()
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "file"))
    fit_encoder(cache=True).input_layer()  # the default cache is optional
    with pytest.raises(MtlError, match=r"encoder\.cache: .*file.* cannot be written"):
        fit_encoder(cache=tmp_path / "file").input_layer()


def test_oldest_cache_files_are_evicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr("mtl_transformers.vector_cache.MAX_CACHE_BYTES", 2000)
    for age, layer in enumerate((0, 1, 2)):
        fit_encoder(cache=tmp_path, layers=[layer]).input_layer()
        for path in list_cache_files(tmp_path):
            os.utime(path, (path.stat().st_mtime - 100 * (3 - age),) * 2)
    assert len(list_cache_files(tmp_path)) == 2


def test_vocabulary_and_dropped_words() -> None:
    encoder = fit_encoder(min_count=2)
    assert set(encoder.vocabulary) == {"the", "lovely", "place"}
    assert len(fit_encoder(vocabulary_size=4).vocabulary) == 2
    encoder = fit_encoder(drop=["punctuation", "stop-words"], lower_case=False)
    [parsed] = encoder.parse(["The soup, was Lovely!  3.5"])
    assert encoder.tokens(parsed) == ["soup", "Lovely", "3.5"]
    assert encoder.words(parsed) == ["The", "soup", ",", "was", "Lovely", "!", "3.5"]
    assert encoder.token_to_word(parsed) == [1, 4, 6]
    assert parsed.words == ("soup", "Lovely", "3.5")


def test_unusual_texts_are_encoded_quickly() -> None:
    encoder = fit_encoder()
    unusual_texts = [
        "",
        " \n",
        "!" * 200_000,
        "a" * 200_000,
        "😀" * 50_000,
        "中国" * 20,
        "x " * 200_000,
        "\u200b",
        "a\ud800b",
    ]
    parsed = encoder.parse(unusual_texts)
    items = encoder.encode(parsed)
    assert all(1 <= encoder.length(item) <= 256 for item in items)
    with torch.no_grad():
        values = encoder.input_layer().eval()(encoder.collate(items)).values
    assert torch.isfinite(values).all()
    assert encoder.is_empty(parsed[0])
    assert encoder.is_empty(parsed[1])


def test_long_stream_uses_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_transformers.spacy_tokenizer.MAX_NEW_WORDS", 50)
    monkeypatch.setattr("mtl_transformers.distilled_encoder.MAX_CACHED_VECTORS", 40)
    encoder = fit_encoder()
    expected = encoder.collate(encoder.encode(encoder.parse(["soup waits"]))).oov_vectors
    for number in range(30):
        parsed = encoder.parse([f"soup w{number}a w{number}b w{number}c w{number}d"])
        items = encoder.encode(parsed)
        assert len(encoder.collate(items).oov_vectors) == 4
        assert encoder.tokens(parsed[0])[1] == f"w{number}a"
    assert len(encoder._cached_vectors) <= 40
    assert len(encoder._tokenizer._cached_strings) <= 70
    assert torch.equal(encoder.collate(encoder.encode(encoder.parse(["soup waits"]))).oov_vectors, expected)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"dimensions": 17}, r"encoder\.dimensions: 17, but the vectors of the model have 16"),
        ({"layers": [3]}, r"encoder\.layers: 3, but the model has the layers 1 to 2"),
        ({"layers": [-4]}, r"encoder\.layers: -4"),
        ({"language": "xx1"}, r"encoder\.language: spaCy has no language 'xx1'"),
    ],
)
def test_keys_incompatible_with_the_model_are_rejected(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(MtlError, match=message):
        fit_encoder(**keys)
