"""The built-in optimizers compute what torch's optimizers compute, bit for bit, also after a resume."""

from collections.abc import Callable, Iterable
from copy import deepcopy

import pytest
import torch

from mtl_core.builtins.optimizers import SGD, Adam, AdamW

Build = Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]


def _train(build: Build) -> tuple[torch.Tensor, dict[str, object]]:
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3)
    optimizer = build(layer.parameters())
    for step in range(6):
        optimizer.zero_grad()
        (layer(torch.randn(4, 5)) ** 2).sum().backward()
        optimizer.step()
        if step == 2:  # a resume
            state = deepcopy(optimizer.state_dict())
            optimizer = build(layer.parameters())
            optimizer.load_state_dict(state)
        optimizer.param_groups[0]["lr"] *= 0.9
    assert layer.weight.grad is not None
    assert not layer.weight.grad.requires_grad
    return layer.weight.detach().clone(), optimizer.state_dict()


@pytest.mark.parametrize(
    ("spec", "build"),
    [
        (Adam(lr=0.1), lambda weights: torch.optim.Adam(weights, lr=0.1, weight_decay=0.0, fused=True)),
        (AdamW(lr=0.1), lambda weights: torch.optim.AdamW(weights, lr=0.1, fused=True)),
        (SGD(lr=0.01), lambda weights: torch.optim.SGD(weights, lr=0.01, momentum=0.9, weight_decay=0.0)),
    ],
    ids=["adam", "adamw", "sgd"],
)
def test_same_weights_and_state_as_torch(spec: Adam | AdamW | SGD, build: Build) -> None:
    weights, state = _train(spec.build)
    expected_weights, expected_state = _train(build)
    assert torch.equal(weights, expected_weights)
    assert str(state) == str(expected_state)
