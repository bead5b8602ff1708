"""Tests of the backbone `transformer`: equality with transformers per family, and trained weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_transformers import KINDS, tiny_model, write_model
from torch import nn

from mtl_core import Features, FeatureShape, MtlError
from mtl_transformers.backbone import Lora, TransformerBackbone
from mtl_transformers.encoder import TransformerEncoder
from mtl_transformers.piece_encoder import PieceEncoder

pytest.importorskip("transformers")
TEXTS = ["The soup was lovely!", "unwaited breadly, good.", "x", "waiter waiter waiter the the the place."]


def fitted(kind: str = "bert", **keys: Any) -> PieceEncoder:
    encoder = TransformerEncoder(model=tiny_model(kind), max_tokens=38, **keys).build()
    encoder.fit(encoder.parse(TEXTS))
    return encoder


def network(encoder: PieceEncoder, **keys: Any) -> tuple[nn.Module, nn.Module]:
    layer = encoder.input_layer()
    return layer, TransformerBackbone(**keys).build(layer.output)


def states(encoder: PieceEncoder, layer: nn.Module, backbone: nn.Module, texts: list[str] = TEXTS) -> Features:
    return backbone(layer(encoder.collate(encoder.encode(encoder.parse(texts)))))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_states_are_those_of_transformers(kind: str) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = fitted(kind)
    layer, backbone = network(encoder)
    found = states(encoder, layer.eval(), backbone.eval())
    own, tokenizer = (
        AutoModel.from_pretrained(tiny_model(kind)).eval(),
        AutoTokenizer.from_pretrained(tiny_model(kind)),
    )
    for row, text in enumerate(TEXTS):
        expected = own(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1]
        torch.testing.assert_close(found.values[row][found.mask[row]], expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_trained_and_nothing_is_held_twice(kind: str) -> None:
    encoder = fitted(kind)
    layer, backbone = network(encoder, dropout=0.0)
    features = states(encoder, layer.train(), backbone.train())
    (features.values * torch.randn_like(features.values))[features.mask].sum().backward()
    silent = [name for name, own in [*layer.named_parameters(), *backbone.named_parameters()] if own.grad is None]
    assert not silent
    assert layer.table.grad.any()
    whole = sum(own.numel() for own in backbone.parameters())
    assert not [name for name in backbone.state_dict() if "word_embeddings" in name or "pooler" in name]
    assert whole < sum(own.numel() for own in layer.parameters()) * 20
    assert backbone.output == FeatureShape(16, sequence=True)


def test_the_first_mark_is_one_vector_a_text() -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = fitted()
    layer, backbone = network(encoder, output="first")
    assert backbone.output == FeatureShape(16, sequence=False)
    with torch.no_grad():
        found = states(encoder, layer.eval(), backbone.eval())
        own, tokenizer = AutoModel.from_pretrained(tiny_model()).eval(), AutoTokenizer.from_pretrained(tiny_model())
        expected = [own(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0] for text in TEXTS]
    torch.testing.assert_close(found.values, torch.stack(expected), atol=2e-5, rtol=1e-4)
    assert found.mask is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layers_alone(kind: str) -> None:
    encoder = fitted(kind, tune=False)
    layer, backbone = network(encoder, layers=1)
    trained = {name for name, own in backbone.named_parameters() if own.requires_grad}
    assert trained
    assert all(".1." in name for name in trained)
    assert not any(own.requires_grad for own in network(encoder, layers=0)[1].parameters())
    assert not layer.table.requires_grad


def test_layers_that_stay_drop_nothing_out() -> None:
    encoder = fitted(tune=False)
    layer, still = network(encoder, layers=0, dropout=0.5)
    _, moving = network(encoder, layers=1, dropout=0.5)
    layer.train()
    with torch.no_grad():
        assert torch.equal(states(encoder, layer, still.train()).values, states(encoder, layer, still).values)
        assert not torch.equal(states(encoder, layer, moving.train()).values, states(encoder, layer, moving).values)
        assert not torch.equal(states(encoder, layer, moving).values, states(encoder, layer, still).values)
        torch.testing.assert_close(
            states(encoder, layer, moving.eval()).values, states(encoder, layer, still.eval()).values
        )


def test_dropout_is_what_is_asked_for() -> None:
    encoder = fitted()
    layer, backbone = network(encoder, dropout=0.0)
    with torch.no_grad():
        first = states(encoder, layer.train(), backbone.train()).values
        assert torch.equal(first, states(encoder, layer, backbone.eval()).values)
    assert {
        module.p for module in network(encoder, dropout=0.3)[1].modules() if isinstance(module, nn.Dropout)
    } == {0.3}
    assert {module.p for module in network(encoder)[1].modules() if isinstance(module, nn.Dropout)} == {0.1}


@pytest.mark.parametrize("kind", ["bert", "distilbert", "deberta-v2"])
def test_adapters_begin_as_nothing_and_are_trained_alone(kind: str) -> None:
    pytest.importorskip("peft")
    encoder = fitted(kind, tune=False)
    layer, plain = network(encoder)
    _, backbone = network(encoder, lora=Lora(rank=2))
    with torch.no_grad():
        expected = states(encoder, layer.eval(), plain.eval()).values
        torch.testing.assert_close(states(encoder, layer, backbone.eval()).values, expected)
    trained = {name for name, own in backbone.named_parameters() if own.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    before = {name: own.clone() for name, own in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([own for own in backbone.parameters() if own.requires_grad], lr=1.0)
    for _ in range(2):  # B begins with zeros, so A moves in the second step
        states(encoder, layer, backbone.train()).values.pow(2).mean().backward()
        optimizer.step()
    moved = {name for name, own in backbone.state_dict().items() if not torch.equal(own, before[name])}
    assert moved <= trained
    assert any("lora_A" in name for name in moved)
    assert any("lora_B" in name for name in moved)


def test_adapters_of_named_layers() -> None:
    pytest.importorskip("peft")
    encoder = fitted()
    _, backbone = network(encoder, lora=Lora(rank=1, targets=["query"]))
    trained = [name for name, own in backbone.named_parameters() if own.requires_grad]
    assert len(trained) == 4  # two matrices per layer
    assert all(".query." in name for name in trained)
    with pytest.raises(MtlError, match=r"backbone\.lora\.targets: .*'qery'; did you mean 'query'\?"):
        network(encoder, lora=Lora(targets=["qery"]))


def test_the_same_seed_gives_the_same_adapters() -> None:
    pytest.importorskip("peft")
    encoder, found = fitted(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(network(encoder, lora=Lora(rank=2))[1].state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert not all(torch.equal(value, found[2][name]) for name, value in found[0].items())


def test_another_encoder_is_refused() -> None:
    with pytest.raises(MtlError, match=r"encoder: \{type: transformer\}"):
        TransformerBackbone().build(FeatureShape(16, sequence=True))


def test_more_layers_than_there_are() -> None:
    with pytest.raises(MtlError, match=r"backbone\.layers: 3, but the model has 2 layers"):
        network(fitted(), layers=3)


def test_bfloat16_is_near_and_finite() -> None:
    encoder = fitted()
    layer, backbone = network(encoder)
    with torch.no_grad():
        expected = states(encoder, layer.eval(), backbone.eval())
        with torch.autocast("cpu", torch.bfloat16):
            found = states(encoder, layer, backbone)
    gap = (found.values.float() - expected.values)[expected.mask].abs()
    assert 0 < gap.max() < 0.3


def test_weights_are_the_models_whatever_the_seed(tmp_path: Path) -> None:
    write_model(tmp_path / "own", hidden_size=8)
    encoder = TransformerEncoder(model=tmp_path / "own", max_tokens=20).build()
    encoder.fit(encoder.parse(TEXTS))
    weights = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        layer, backbone = network(encoder)
        assert torch.get_rng_state().equal(torch.Generator().manual_seed(seed).get_state()), "RNG state changed"
        weights.append({**layer.state_dict(), **backbone.state_dict()})
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
