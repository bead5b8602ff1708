"""On many networks, a step computes the shared gradients that TorchJD computes from a plain Jacobian."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torchjd import aggregation
from torchjd_reference import aggregate_with_torchjd, compute_jacobian, concatenate_gradients
from toy import task_block, write_experiment

from mtl_core.config.load import load_experiment
from mtl_core.data.batches import sample_token_mask
from mtl_core.data.prepare import prepare
from mtl_core.runs.build_network import build_network
from mtl_core.training.gradients import StepGradients
from mtl_core.training.objective import Objective
from mtl_core.training.step import compute_losses

TRANSFORMER = '''\
"""A backbone of Transformer layers."""

from typing import Literal

from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, hookimpl


class Layers(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.output = FeatureShape(width, sequence=True)

    def forward(self, features: Features) -> Features:
        return Features(self.layers(features.values, src_key_padding_mask=~features.mask), features.mask)


class Transformer(BackboneSpec):
    """Two layers."""

    type: Literal["tiny-transformer"] = "tiny-transformer"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the layers."""
        return Layers(inputs.width)


@hookimpl
def mtl_backbones():
    return [Transformer]
'''
TEXT = ["encoder.dimensions=8"]
LSTM = ["backbone={type: lstm, hidden_dim: 6, bidirectional: true, output: tokens}", "tasks.0.weight=2.0"]
AUXILIARY = "auxiliary=[{type: word-frequency, weight: 0.3}, {type: masked-tokens, weight: 0.2, vocab_size: 50}]"
NETWORKS: dict[str, list[str]] = {
    "packed LSTM": [*TEXT, *LSTM],
    "attention heads": [*TEXT, *LSTM, "tasks.0.head=attention", "tasks.1.head={type: attention, grouped: false}"],
    "auxiliary tasks": [*TEXT, *LSTM, AUXILIARY],
    "transformer": [*TEXT, "plugins=[transformer.py]", "backbone=tiny-transformer"],
    "mixed experts": [*TEXT, "architecture={type: mmoe, experts: 2}"],
    "stitched columns": [*TEXT, "architecture={type: cross-stitch, layers: 1}"],
}
TOYS: dict[str, dict[str, Any]] = {
    "grouped heads": {"tasks": [task_block("toy-grouped")]},
    "both kinds of heads": {"tasks": [task_block("toy-linear", name="t1"), task_block("toy-grouped")]},
}
AGGREGATORS = {"pcgrad": aggregation.PCGrad, "upgrad": aggregation.UPGrad, "config": aggregation.ConFIG}


@pytest.mark.parametrize("type_name", AGGREGATORS)
@pytest.mark.parametrize("name", [*NETWORKS, *TOYS])
def test_gradients_of_any_network(tmp_path: Path, name: str, type_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "transformer.py").write_text(TRANSFORMER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = [*NETWORKS.get(name, []), f"weighting={type_name}"]
    source = write_experiment(tmp_path, **TOYS[name]) if name in TOYS else "topic-sentiment"
    config = load_experiment(source, settings).config
    prepared = prepare(config)
    network = build_network(config, prepared.encoder, prepared.groups)
    objective = Objective(prepared.groups, config.weighting, config.seed)
    gradients = StepGradients(Accelerator(), network, objective.group_sizes)
    network.eval()
    batch = prepared.examples.build_batch(prepared.split.train[:12], torch.device("cpu"), sample_token_mask)
    losses, reference_losses = compute_losses(network, objective, batch), compute_losses(network, objective, batch)

    declared_weights = [
        task.config.weight for group in prepared.groups for task in group.tasks if task.auxiliary_spec is None
    ]
    main_losses = reference_losses.select_first(len(declared_weights))
    weighted_losses = main_losses.values * torch.tensor(declared_weights)[main_losses.tasks]
    expected = aggregate_with_torchjd(
        AGGREGATORS[type_name](), compute_jacobian(weighted_losses, gradients.shared), 3, config.seed
    )
    total = objective.compute_total(reference_losses)
    if len(declared_weights) < len(reference_losses.counts):
        expected += compute_jacobian((total - weighted_losses.sum()).reshape(1), gradients.shared)[0]
    task_gradients = torch.autograd.grad(total, gradients.task_specific, allow_unused=True)

    objective.on_step_start(3, 10)
    objective.backward(losses, None, gradients)
    torch.testing.assert_close(concatenate_gradients(gradients.shared), expected, rtol=1e-3, atol=1e-6)
    for parameter, gradient in zip(gradients.task_specific, task_gradients, strict=True):
        zeros = torch.zeros_like(parameter)
        actual = zeros if parameter.grad is None else parameter.grad
        torch.testing.assert_close(actual, zeros if gradient is None else gradient, rtol=1e-4, atol=1e-6)
