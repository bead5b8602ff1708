"""Tests of the backbone `lstm`: invariance to padding and to the rest of the batch, output shapes, and dropout."""

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from mtl_core import Features, FeatureShape
from mtl_core.errors import MtlError
from mtl_core.nn.packed_rnn import PackedRNN
from mtl_text.lstm import LSTM

WIDTH = 5
LENGTHS = [4, 1, 7, 4, 2]
parametrize_fields = pytest.mark.parametrize(
    "fields",
    [
        {"output": output, "bidirectional": bidirectional, "layers": layers}
        for output in ("last", "tokens")
        for bidirectional in (False, True)
        for layers in (1, 2)
    ],
    ids=lambda fields: "-".join(map(str, fields.values())),
)


def build_lstm(**fields: Any) -> PackedRNN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = LSTM(hidden_dim=3, **fields).build(FeatureShape(WIDTH, sequence=True))
    assert isinstance(module, PackedRNN)
    return module


def sample_texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, WIDTH, generator=generator) for length in LENGTHS]


def pad_batch(sequences: list[torch.Tensor], extra_padding: int = 0, filler: float = 0.0) -> Features:
    """Return a batch with `extra_padding` extra padding positions; `filler` is the value at padding."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    values = pad_sequence([*sequences, torch.zeros(int(lengths.max()) + extra_padding, WIDTH)], batch_first=True)[:-1]
    mask = torch.arange(values.shape[1]) < lengths.unsqueeze(1)
    return Features(values.masked_fill(~mask.unsqueeze(-1), filler), mask)


def unpad_features(features: Features) -> list[torch.Tensor]:
    """Return the features of each example without padding."""
    if features.mask is None:
        return list(features.values)
    return [values[mask] for values, mask in zip(features.values, features.mask, strict=True)]


@parametrize_fields
def test_padding_does_not_change_features(fields: dict[str, Any]) -> None:
    module = build_lstm(**fields).eval()
    expected_rows = [unpad_features(module(pad_batch([text])))[0] for text in sample_texts()]
    for extra_padding, filler in ((0, 0.0), (3, 0.0), (2, 100.0)):
        for expected, values in zip(
            expected_rows, unpad_features(module(pad_batch(sample_texts(), extra_padding, filler))), strict=True
        ):
            torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)


@parametrize_fields
def test_batch_order_does_not_change_features(fields: dict[str, Any]) -> None:
    module = build_lstm(**fields).eval()
    order = [3, 0, 4, 2, 1]
    expected = unpad_features(module(pad_batch(sample_texts())))
    reordered = unpad_features(module(pad_batch([sample_texts()[index] for index in order])))
    for index, values in zip(order, reordered, strict=True):
        torch.testing.assert_close(values, expected[index], rtol=0, atol=1e-6)


@parametrize_fields
def test_output_has_the_declared_shape_and_is_zero_at_padding(fields: dict[str, Any]) -> None:
    module = build_lstm(**fields).eval()
    features = module(pad_batch(sample_texts(), extra_padding=2))
    width = 6 if fields["bidirectional"] else 3
    if fields["output"] == "last":
        assert module.output == FeatureShape(width, sequence=False)
        assert features.values.shape == (5, width)
        assert features.mask is None
    else:
        assert module.output == FeatureShape(width, sequence=True)
        assert features.values.shape == (5, 9, width)
        assert features.mask.sum(dim=1).tolist() == LENGTHS
        assert not features.values[~features.mask].any()


def test_last_is_the_final_state_of_each_direction() -> None:
    last, tokens = (build_lstm(output=output, bidirectional=True).eval() for output in ("last", "tokens"))
    pooled = last(pad_batch(sample_texts())).values
    for values, states in zip(pooled, unpad_features(tokens(pad_batch(sample_texts()))), strict=True):
        torch.testing.assert_close(values[:3], states[-1, :3], rtol=0, atol=1e-6)
        torch.testing.assert_close(values[3:], states[0, 3:], rtol=0, atol=1e-6)


def test_last_state_depends_on_all_tokens_and_their_order() -> None:
    module = build_lstm().eval()
    [text] = pad_batch([sample_texts()[2]]).values
    original = module(pad_batch([text])).values
    for changed in (text.flip(0), torch.cat([text[:1] + 1, text[1:]])):
        assert (module(pad_batch([changed])).values - original).abs().max() > 1e-3


def test_dropout_applies_in_training_only() -> None:
    module = build_lstm(output="tokens", input_dropout=0.5, dropout=0.5)
    batch = pad_batch(sample_texts())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = module.train()(batch).values[batch.mask]
    assert 0.2 < (values == 0).float().mean() < 0.8
    module.eval()
    assert torch.equal(module(batch).values, module(batch).values)
    assert (module(batch).values[batch.mask] != 0).all()


def test_every_weight_has_a_gradient() -> None:
    module = build_lstm(layers=2, bidirectional=True)
    module(pad_batch(sample_texts())).values.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


def test_input_without_a_sequence_is_rejected() -> None:
    with pytest.raises(MtlError, match="the backbone 'lstm' reads sequences"):
        LSTM().build(FeatureShape(8, sequence=False))
