"""The gradient that reaches the shared layers is reversed; nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentences import block, config
from torch import nn

from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_core import Features, FeatureShape, HeadSpec
from mtl_core.errors import MtlError
from mtl_core.model.heads import HeadGroup, HeadOutput
from mtl_core.runs.prepare import build_network, prepare
from mtl_core.training.objective import Objective

WIDTH, OUTPUTS, TASKS = 4, 3, 2
SHAPE = FeatureShape(WIDTH, sequence=True)
HEADS: list[dict[str, Any]] = [
    {"type": "linear"},
    {"type": "token-linear"},
    {"type": "sequence-decoder", "hidden_dim": 3},
    {"type": "self-attention", "dropout": 0.0},
    {"type": "attention", "grouped": False},
]
every_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: head["type"])


def reversal(head: dict[str, Any], strength: float) -> GradientReversal:
    return GradientReversal.model_validate({"type": "gradient-reversal", "head": head, "strength": strength})


def pair(plain: nn.Module, turned: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Copy the weights of the first module to the second."""
    turned.load_state_dict({f"inner.{name}": value for name, value in plain.state_dict().items()})
    return plain, turned


def features(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]])
    values = torch.randn(3, 5, WIDTH, generator=generator) * mask.unsqueeze(-1)
    return Features(values.requires_grad_(), mask)


def gradients(module: nn.Module, seed: int) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Return the outputs, the gradient of the features, and the gradients of the head's weights."""
    module.zero_grad()
    read = features(seed)
    said = module(read)
    outputs = said.outputs if isinstance(said, HeadOutput) else said
    generator = torch.Generator().manual_seed(seed + 1)
    (outputs * torch.randn(outputs.shape, generator=generator)).sum().backward()
    assert read.values.grad is not None
    own = {name.removeprefix("inner."): p.grad for name, p in module.named_parameters() if p.grad is not None}
    return outputs, read.values.grad, own


def expect_turned(plain: nn.Module, turned: nn.Module, strength: float, seed: int) -> None:
    outputs, shared, own = gradients(plain, seed)
    same, against, still = gradients(turned, seed)
    assert torch.equal(outputs, same)
    assert torch.equal(against, -strength * shared)
    assert shared.any()
    assert own.keys() == still.keys()
    assert own
    assert all(torch.equal(own[name], still[name]) for name in own)


@every_head
@settings(max_examples=8, deadline=None)
@given(strength=st.floats(0, 10, allow_nan=False), seed=st.integers(0, 99))
def test_the_gradient_of_the_features_is_minus_strength_times_the_plain_one(
    head: dict[str, Any], strength: float, seed: int
) -> None:
    spec = reversal(head, strength)
    with torch.random.fork_rng():
        plain, turned = pair(spec.head.build(SHAPE, OUTPUTS), spec.build(SHAPE, OUTPUTS))
    expect_turned(plain, turned, strength, seed)


def test_a_group_of_tasks_behind_one_reversal() -> None:
    spec = reversal({"type": "attention"}, 0.7)
    with torch.random.fork_rng():
        groups = [one.build_group(SHAPE, OUTPUTS, TASKS) for one in (spec.head, spec)]
    assert all(isinstance(group, HeadGroup) for group in groups)
    plain, turned = pair(*groups)  # type: ignore[arg-type]
    expect_turned(plain, turned, 0.7, seed=3)
    inner = [id(parameter) for parameter in turned.inner.stacked_parameters()]  # type: ignore[operator, union-attr]
    assert [id(parameter) for parameter in turned.stacked_parameters()] == inner  # type: ignore[operator]
    assert inner


@every_head
def test_it_is_a_head_for_what_the_head_within_is_for(head: dict[str, Any]) -> None:
    spec: HeadSpec = reversal(head, 1.0)
    assert spec.level == reversal(head, 1.0).head.level
    assert spec.build_group(SHAPE, OUTPUTS, TASKS) is None  # one module per task, as for the inner head


def body_gradient(folder: Path, auxiliary: list[dict[str, Any]]) -> list[torch.Tensor]:
    """Return the gradient of the shared parameters in the first step."""
    loaded = config(folder, auxiliary, backbone={"type": "lstm", "hidden_dim": 4, "output": "tokens"})
    found = prepare(loaded)
    network = build_network(loaded, found.encoder, found.groups).train()
    objective = Objective(found.groups, loaded.weighting)
    batch = found.examples.batch(found.split.train, torch.device("cpu"))
    masks = objective.masks(batch)
    losses = objective.task_losses(network(batch.inputs, masks, batch.hidden), batch, masks)
    objective.total(losses).backward()
    return [parameter.grad for parameter in network.body.parameters() if parameter.grad is not None]


def test_in_a_network_the_shared_part_gets_what_the_inverse_task_would_give_turned_round(tmp_path: Path) -> None:
    alone = body_gradient(tmp_path, [])
    with_it = body_gradient(tmp_path, [block("inverse", weight=0.5)])
    against = body_gradient(tmp_path, [block("adversarial", weight=0.5, strength=3.0)])
    assert len(alone) > 4
    for main, helped, hindered in zip(alone, with_it, against, strict=True):
        assert not torch.allclose(main, helped)
        torch.testing.assert_close(hindered - main, -3.0 * (helped - main), atol=1e-6, rtol=1e-4)


def test_a_main_task_can_have_it_as_head_too_and_mistakes_within_are_named(tmp_path: Path) -> None:
    task = {"name": "mood", "kind": "classification", "head": {"type": "gradient-reversal", "head": "linear"}}
    assert prepare(config(tmp_path, [], tasks=[task])).tasks[0].declared.head.type == "gradient-reversal"
    task["head"] = {"type": "gradient-reversal", "head": "linaer"}
    with pytest.raises(MtlError, match=r"tasks\.0\.head\.head\.type: .*did you mean 'linear'"):
        config(tmp_path, [], tasks=[task])
    task["head"] = {"type": "gradient-reversal", "head": "token-linear"}
    with pytest.raises(MtlError, match="has one label per example, but the head 'gradient-reversal'"):
        prepare(config(tmp_path, [], tasks=[task]))
