"""States of `transformer-features` take two bytes per number, in memory and on disk."""

import gc
import tracemalloc
from pathlib import Path

import pytest
from tiny_transformers import SIZES, write_model

from mtl_transformers.transformer_features import TransformerFeatures

pytest.importorskip("transformers")
WIDTH, N_TEXTS, N_WORDS = 384, 40, 30


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of width 384 with random weights."""
    return write_model(tmp_path_factory.mktemp("wide") / "model", hidden_size=WIDTH, intermediate_size=8)


def test_states_take_three_quarters_of_a_kilobyte_per_word(wide_model: Path, tmp_path: Path) -> None:
    """The first pass computes the states, the second reads them from the cache."""
    assert SIZES["max_position_embeddings"] >= N_WORDS + 2
    texts = [f"{number // 10} {number % 10}" + " soup" * (N_WORDS - 2) for number in range(N_TEXTS)]
    for _ in range(2):
        encoder = TransformerFeatures(model=wide_model, max_tokens=N_WORDS + 2, cache=tmp_path / "cache").build()
        parsed = encoder.parse(texts)
        encoder.fit(iter(parsed))
        encoder.encode(parsed[:1])  # loads the model
        gc.collect()
        tracemalloc.start()
        try:
            items = encoder.encode(parsed)
            encoder.unload()
            gc.collect()
            stored_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sum(map(len, items)) == N_TEXTS * N_WORDS
        assert stored_bytes / (N_TEXTS * N_WORDS) == pytest.approx(2 * WIDTH, rel=0.05)
    [path] = (tmp_path / "cache").rglob("*.sqlite")
    assert path.stat().st_size / (N_TEXTS * N_WORDS) == pytest.approx(2 * WIDTH, rel=0.1)
