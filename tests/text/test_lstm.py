"""Tests of the backbone `lstm`: invariance to padding and to the rest of the batch, output shapes, and dropout."""

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from mtl_core import Features, FeatureShape
from mtl_core.errors import MtlError
from mtl_text.lstm import LSTM
from mtl_text.lstm_module import PackedLSTM

WIDTH = 5
LENGTHS = [4, 1, 7, 4, 2]
every_form = pytest.mark.parametrize(
    "fields",
    [
        {"output": output, "bidirectional": bidirectional, "layers": layers}
        for output in ("last", "tokens")
        for bidirectional in (False, True)
        for layers in (1, 2)
    ],
    ids=lambda fields: "-".join(map(str, fields.values())),
)


def built(**fields: Any) -> PackedLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = LSTM(hidden_dim=3, **fields).build(FeatureShape(WIDTH, sequence=True))
    assert isinstance(module, PackedLSTM)
    return module


def texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, WIDTH, generator=generator) for length in LENGTHS]


def padded(sequences: list[torch.Tensor], more: int = 0, filler: float = 0.0) -> Features:
    """Return a batch with `more` extra padding positions; `filler` is the value at every padding position."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    values = pad_sequence([*sequences, torch.zeros(int(lengths.max()) + more, WIDTH)], batch_first=True)[:-1]
    mask = torch.arange(values.shape[1]) < lengths.unsqueeze(1)
    return Features(values.masked_fill(~mask.unsqueeze(-1), filler), mask)


def rows(features: Features) -> list[torch.Tensor]:
    """Return the features of each example without padding."""
    if features.mask is None:
        return list(features.values)
    return [values[mask] for values, mask in zip(features.values, features.mask, strict=True)]


@every_form
def test_padding_changes_nothing(fields: dict[str, Any]) -> None:
    module = built(**fields).eval()
    alone = [rows(module(padded([text])))[0] for text in texts()]
    for more, filler in ((0, 0.0), (3, 0.0), (2, 100.0)):
        for expected, found in zip(alone, rows(module(padded(texts(), more, filler))), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@every_form
def test_the_order_of_a_batch_changes_nothing(fields: dict[str, Any]) -> None:
    module = built(**fields).eval()
    order = [3, 0, 4, 2, 1]
    expected = rows(module(padded(texts())))
    found = rows(module(padded([texts()[place] for place in order])))
    for place, values in zip(order, found, strict=True):
        torch.testing.assert_close(values, expected[place], rtol=0, atol=1e-6)


@every_form
def test_the_output_is_of_the_promised_shape_and_zero_at_padding(fields: dict[str, Any]) -> None:
    module = built(**fields).eval()
    features = module(padded(texts(), more=2))
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


def test_last_is_the_state_after_the_last_token_of_either_direction() -> None:
    last, tokens = (built(output=output, bidirectional=True).eval() for output in ("last", "tokens"))
    pooled = last(padded(texts())).values
    for values, states in zip(pooled, rows(tokens(padded(texts()))), strict=True):
        torch.testing.assert_close(values[:3], states[-1, :3], rtol=0, atol=1e-6)
        torch.testing.assert_close(values[3:], states[0, 3:], rtol=0, atol=1e-6)


def test_the_last_state_knows_the_whole_text_and_its_order() -> None:
    module = built().eval()
    [text] = padded([texts()[2]]).values
    before = module(padded([text])).values
    for changed in (text.flip(0), torch.cat([text[:1] + 1, text[1:]])):
        assert (module(padded([changed])).values - before).abs().max() > 1e-3


def test_dropout_is_for_training_only() -> None:
    module = built(output="tokens", input_dropout=0.5, dropout=0.5)
    batch = padded(texts())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = module.train()(batch).values[batch.mask]
    assert 0.2 < (values == 0).float().mean() < 0.8
    module.eval()
    assert torch.equal(module(batch).values, module(batch).values)
    assert (module(batch).values[batch.mask] != 0).all()


def test_every_weight_is_learned() -> None:
    module = built(layers=2, bidirectional=True)
    module(padded(texts())).values.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


def test_one_vector_an_example_cannot_be_read() -> None:
    with pytest.raises(MtlError, match="the backbone 'lstm' reads sequences"):
        LSTM().build(FeatureShape(8, sequence=False))
