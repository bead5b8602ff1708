"""Tests of the backbone `transformer`: equality with transformers per family, and trained weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_transformers import KINDS, tiny_model, write_model
from torch import nn

from mtl_core import FeatureShape, MtlError
from mtl_transformers.lora_config import Lora
from mtl_transformers.subword_encoder import SubwordEncoder
from mtl_transformers.transformer_backbone import TransformerBackbone
from mtl_transformers.transformer_encoder import TransformerEncoder

pytest.importorskip("transformers")
TEXTS = ["The soup was lovely!", "unwaited breadly, good.", "x", "waiter waiter waiter the the the place."]


def fit_encoder(kind: str = "bert", **keys: Any) -> SubwordEncoder:
    encoder = TransformerEncoder(model=tiny_model(kind), max_tokens=38, **keys).build()
    encoder.fit(encoder.parse(TEXTS))
    return encoder


def build_network(encoder: SubwordEncoder, **keys: Any) -> tuple[Any, nn.Module]:
    layer: Any = encoder.input_layer()
    return layer, TransformerBackbone(**keys).build(layer.output)


def compute_states(encoder: SubwordEncoder, layer: nn.Module, backbone: nn.Module, texts: list[str] = TEXTS) -> Any:
    return backbone(layer(encoder.collate(encoder.encode(encoder.parse(texts)))))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_states_equal_those_of_transformers(kind: str) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = fit_encoder(kind)
    layer, backbone = build_network(encoder)
    features = compute_states(encoder, layer.eval(), backbone.eval())
    model, tokenizer = (
        AutoModel.from_pretrained(tiny_model(kind)).eval(),
        AutoTokenizer.from_pretrained(tiny_model(kind)),
    )
    for row, text in enumerate(TEXTS):
        expected = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 1:-1]
        torch.testing.assert_close(features.values[row][features.mask[row]], expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_all_weights_are_trained_and_none_is_duplicated(kind: str) -> None:
    encoder = fit_encoder(kind)
    layer, backbone = build_network(encoder, dropout=0.0)
    features = compute_states(encoder, layer.train(), backbone.train())
    (features.values * torch.randn_like(features.values))[features.mask].sum().backward()
    without_gradient = [
        name for name, parameter in [*layer.named_parameters(), *backbone.named_parameters()] if parameter.grad is None
    ]
    assert not without_gradient
    assert layer.table.grad.any()
    n_parameters = sum(parameter.numel() for parameter in backbone.parameters())
    assert not [name for name in backbone.state_dict() if "word_embeddings" in name or "pooler" in name]
    assert n_parameters < sum(parameter.numel() for parameter in layer.parameters()) * 20
    assert backbone.output == FeatureShape(16, sequence=True)


def test_output_first_is_one_vector_per_text() -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = fit_encoder()
    layer, backbone = build_network(encoder, output="first")
    assert backbone.output == FeatureShape(16, sequence=False)
    with torch.no_grad():
        features = compute_states(encoder, layer.eval(), backbone.eval())
        model, tokenizer = (
            AutoModel.from_pretrained(tiny_model()).eval(),
            AutoTokenizer.from_pretrained(tiny_model()),
        )
        expected = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0] for text in TEXTS]
    torch.testing.assert_close(features.values, torch.stack(expected), atol=2e-5, rtol=1e-4)
    assert features.mask is None


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_last_layers_are_trained(kind: str) -> None:
    encoder = fit_encoder(kind, trainable=False)
    layer, backbone = build_network(encoder, trainable_layers=1)
    trained = {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(".1." in name for name in trained)
    assert not any(parameter.requires_grad for parameter in build_network(encoder, trainable_layers=0)[1].parameters())
    assert not layer.table.requires_grad


def test_frozen_layers_have_no_dropout() -> None:
    encoder = fit_encoder(trainable=False)
    layer, frozen = build_network(encoder, trainable_layers=0, dropout=0.5)
    _, trained = build_network(encoder, trainable_layers=1, dropout=0.5)
    layer.train()
    with torch.no_grad():
        assert torch.equal(
            compute_states(encoder, layer, frozen.train()).values, compute_states(encoder, layer, frozen).values
        )
        assert not torch.equal(
            compute_states(encoder, layer, trained.train()).values, compute_states(encoder, layer, trained).values
        )
        assert not torch.equal(
            compute_states(encoder, layer, trained).values, compute_states(encoder, layer, frozen).values
        )
        torch.testing.assert_close(
            compute_states(encoder, layer, trained.eval()).values,
            compute_states(encoder, layer, frozen.eval()).values,
        )


def test_dropout_rate_is_configurable() -> None:
    encoder = fit_encoder()
    layer, backbone = build_network(encoder, dropout=0.0)
    with torch.no_grad():
        expected = compute_states(encoder, layer.train(), backbone.train()).values
        assert torch.equal(expected, compute_states(encoder, layer, backbone.eval()).values)
    assert {
        module.p for module in build_network(encoder, dropout=0.3)[1].modules() if isinstance(module, nn.Dropout)
    } == {0.3}
    assert {module.p for module in build_network(encoder)[1].modules() if isinstance(module, nn.Dropout)} == {0.1}


@pytest.mark.parametrize("kind", ["bert", "distilbert", "deberta-v2"])
def test_adapters_start_as_identity_and_only_they_are_trained(kind: str) -> None:
    pytest.importorskip("peft")
    encoder = fit_encoder(kind, trainable=False)
    layer, plain = build_network(encoder)
    _, backbone = build_network(encoder, lora=Lora(rank=2))
    with torch.no_grad():
        expected = compute_states(encoder, layer.eval(), plain.eval()).values
        torch.testing.assert_close(compute_states(encoder, layer, backbone.eval()).values, expected)
    trained = {name for name, tensor in backbone.named_parameters() if tensor.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    initial = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([tensor for tensor in backbone.parameters() if tensor.requires_grad], lr=1.0)
    for _ in range(2):  # B begins with zeros, so A moves in the second step
        compute_states(encoder, layer, backbone.train()).values.pow(2).mean().backward()
        optimizer.step()
    changed = {name for name, tensor in backbone.state_dict().items() if not torch.equal(tensor, initial[name])}
    assert changed <= trained
    assert any("lora_A" in name for name in changed)
    assert any("lora_B" in name for name in changed)


def test_adapters_of_selected_layers() -> None:
    pytest.importorskip("peft")
    encoder = fit_encoder()
    _, backbone = build_network(encoder, lora=Lora(rank=1, target_modules=["query"]))
    trained = [name for name, parameter in backbone.named_parameters() if parameter.requires_grad]
    assert len(trained) == 4  # two matrices per layer
    assert all(".query." in name for name in trained)
    with pytest.raises(MtlError, match=r"backbone\.lora\.target_modules: .*'qery'; did you mean 'query'\?"):
        build_network(encoder, lora=Lora(target_modules=["qery"]))


def test_adapters_are_reproducible_by_seed() -> None:
    pytest.importorskip("peft")
    encoder, state_dicts = fit_encoder(), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        state_dicts.append(build_network(encoder, lora=Lora(rank=2))[1].state_dict())
    assert all(torch.equal(value, state_dicts[1][name]) for name, value in state_dicts[0].items())
    assert not all(torch.equal(value, state_dicts[2][name]) for name, value in state_dicts[0].items())


def test_another_encoder_is_rejected() -> None:
    with pytest.raises(MtlError, match=r"encoder: \{type: transformer\}"):
        TransformerBackbone().build(FeatureShape(16, sequence=True))


def test_too_many_layers_are_rejected() -> None:
    with pytest.raises(MtlError, match=r"backbone\.trainable_layers: 3, but the model has 2 layers"):
        build_network(fit_encoder(), trainable_layers=3)


def test_bfloat16_is_close_and_finite() -> None:
    encoder = fit_encoder()
    layer, backbone = build_network(encoder)
    with torch.no_grad():
        expected = compute_states(encoder, layer.eval(), backbone.eval())
        with torch.autocast("cpu", torch.bfloat16):
            features = compute_states(encoder, layer, backbone)
    difference = (features.values.float() - expected.values)[expected.mask].abs()
    assert 0 < difference.max() < 0.3


def test_weights_do_not_depend_on_the_seed(tmp_path: Path) -> None:
    write_model(tmp_path / "own", hidden_size=8)
    encoder = TransformerEncoder(model=tmp_path / "own", max_tokens=20).build()
    encoder.fit(encoder.parse(TEXTS))
    weights = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        layer, backbone = build_network(encoder)
        assert torch.get_rng_state().equal(torch.Generator().manual_seed(seed).get_state()), "RNG state changed"
        weights.append({**layer.state_dict(), **backbone.state_dict()})
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
