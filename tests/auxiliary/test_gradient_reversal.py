"""The gradient that reaches the shared layers is reversed; nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentences import build_block, load_config
from torch import nn

from mtl_auxiliary.gradient_reversal import GradientReversal
from mtl_core import Features, FeatureShape, HeadSpec
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.nn.heads import HeadGroup, HeadOutput
from mtl_core.runs.build_network import build_network
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


def build_spec(head: dict[str, Any], strength: float) -> GradientReversal:
    return GradientReversal.model_validate({"type": "gradient-reversal", "head": head, "strength": strength})


def copy_weights(plain: nn.Module, reversal_head: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Copy the weights of the first module to the second."""
    reversal_head.load_state_dict({f"inner.{name}": value for name, value in plain.state_dict().items()})
    return plain, reversal_head


def draw_features(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]])
    values = torch.randn(3, 5, WIDTH, generator=generator) * mask.unsqueeze(-1)
    return Features(values.requires_grad_(), mask)


def compute_gradients(module: nn.Module, seed: int) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Return the outputs, the gradient of the features, and the gradients of the head's weights."""
    module.zero_grad()
    inputs = draw_features(seed)
    output = module(inputs)
    outputs = output.outputs if isinstance(output, HeadOutput) else output
    generator = torch.Generator().manual_seed(seed + 1)
    (outputs * torch.randn(outputs.shape, generator=generator)).sum().backward()
    assert inputs.values.grad is not None
    head_gradients = {
        name.removeprefix("inner."): p.grad for name, p in module.named_parameters() if p.grad is not None
    }
    return outputs, inputs.values.grad, head_gradients


def assert_reversed(plain: nn.Module, reversal_head: nn.Module, strength: float, seed: int) -> None:
    outputs, shared, head_gradients = compute_gradients(plain, seed)
    reversal_outputs, reversed_gradient, reversal_head_gradients = compute_gradients(reversal_head, seed)
    assert torch.equal(outputs, reversal_outputs)
    assert torch.equal(reversed_gradient, -strength * shared)
    assert shared.any()
    assert head_gradients.keys() == reversal_head_gradients.keys()
    assert head_gradients
    assert all(torch.equal(head_gradients[name], reversal_head_gradients[name]) for name in head_gradients)


@every_head
@settings(max_examples=8, deadline=None)
@given(strength=st.floats(0, 10, allow_nan=False), seed=st.integers(0, 99))
def test_feature_gradient_is_scaled_by_the_negative_strength(head: dict[str, Any], strength: float, seed: int) -> None:
    spec = build_spec(head, strength)
    with torch.random.fork_rng():
        plain, reversal_head = copy_weights(spec.head.build(SHAPE, OUTPUTS), spec.build(SHAPE, OUTPUTS))
    assert_reversed(plain, reversal_head, strength, seed)


def test_group_of_tasks_with_one_reversal() -> None:
    spec = build_spec({"type": "attention"}, 0.7)
    with torch.random.fork_rng():
        groups = [one.build_group(SHAPE, OUTPUTS, TASKS) for one in (spec.head, spec)]
    assert all(isinstance(group, HeadGroup) for group in groups)
    plain, reversal_head = copy_weights(*groups)  # type: ignore[arg-type]
    assert_reversed(plain, reversal_head, 0.7, seed=3)
    inner = [id(parameter) for parameter in reversal_head.inner.stacked_parameters()]  # type: ignore[operator, union-attr]
    assert [id(parameter) for parameter in reversal_head.stacked_parameters()] == inner  # type: ignore[operator]
    assert inner


@every_head
def test_level_and_groups_are_those_of_the_inner_head(head: dict[str, Any]) -> None:
    spec: HeadSpec = build_spec(head, 1.0)
    assert spec.level == build_spec(head, 1.0).head.level
    has_group = head["type"] in {"linear", "token-linear", "self-attention"}
    assert (spec.build_group(SHAPE, OUTPUTS, TASKS) is not None) == has_group


def compute_shared_gradients(folder: Path, auxiliary: list[dict[str, Any]]) -> list[torch.Tensor]:
    """Return the gradient of the shared parameters in the first step."""
    loaded = load_config(folder, auxiliary, backbone={"type": "lstm", "hidden_dim": 4, "output": "tokens"})
    data = prepare(loaded)
    network = build_network(loaded, data.encoder, data.groups).train()
    objective = Objective(data.groups, loaded.weighting)
    batch = data.examples.build_batch(data.split.train, torch.device("cpu"))
    masks = objective.compute_masks(batch)
    losses = objective.compute_task_losses(network(batch.inputs, masks, batch.masked_inputs), batch, masks)
    objective.compute_total(losses).backward()  # type: ignore[no-untyped-call]
    return [parameter.grad for parameter in network.trunk.parameters() if parameter.grad is not None]


def test_adversarial_task_reverses_the_shared_gradient_of_auxiliary_target(tmp_path: Path) -> None:
    main_gradients = compute_shared_gradients(tmp_path, [])
    auxiliary_gradients = compute_shared_gradients(tmp_path, [build_block("auxiliary-target", weight=0.5)])
    adversarial_gradients = compute_shared_gradients(tmp_path, [build_block("adversarial", weight=0.5, strength=3.0)])
    assert len(main_gradients) > 4
    for main, with_auxiliary, with_adversary in zip(
        main_gradients, auxiliary_gradients, adversarial_gradients, strict=True
    ):
        assert not torch.allclose(main, with_auxiliary)
        torch.testing.assert_close(with_adversary - main, -3.0 * (with_auxiliary - main), atol=1e-6, rtol=1e-4)


def test_main_task_can_use_it_and_inner_errors_are_reported(tmp_path: Path) -> None:
    task = {"name": "mood", "kind": "classification", "head": {"type": "gradient-reversal", "head": "linear"}}
    assert prepare(load_config(tmp_path, [], tasks=[task])).tasks[0].config.head.type == "gradient-reversal"
    task["head"] = {"type": "gradient-reversal", "head": "linaer"}
    with pytest.raises(MtlError, match=r"tasks\.0\.head\.head\.type: .*did you mean 'linear'"):
        load_config(tmp_path, [], tasks=[task])
    task["head"] = {"type": "gradient-reversal", "head": "token-linear"}
    with pytest.raises(MtlError, match="has one label per example, but the head 'gradient-reversal'"):
        prepare(load_config(tmp_path, [], tasks=[task]))
