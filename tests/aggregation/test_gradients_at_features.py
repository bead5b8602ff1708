"""Gradients combined at the features: one backward pass before the heads, and the step that TorchJD computes there."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from test_aggregation_networks import AGGREGATORS, AUXILIARY, LSTM, TEXT, TOYS
from torchjd_reference import aggregate_with_torchjd
from toy import write_experiment

from mtl_core.config.load import load_experiment
from mtl_core.data.batches import Batch, sample_token_mask
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.build_network import build_network
from mtl_core.runs.run import run_experiment
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.gradients import StepGradients
from mtl_core.training.objective import Objective
from mtl_core.training.step import compute_losses

NETWORKS: dict[str, list[str]] = {
    "linear heads": [*TEXT, *LSTM],
    "attention heads": [*TEXT, *LSTM, "tasks.0.head=attention", "tasks.1.head={type: attention, grouped: false}"],
    "auxiliary tasks": [*TEXT, *LSTM, AUXILIARY],
}
SEED_STEP = 3


class Setup:
    """A network with a batch, in evaluation mode, whose forward passes are counted and record the features."""

    def __init__(self, folder: Path, name: str, weighting: str) -> None:
        settings = [*NETWORKS.get(name, []), f"weighting={weighting}"]
        source = write_experiment(folder, **TOYS[name]) if name in TOYS else "topic-sentiment"
        self.config = load_experiment(source, settings).config
        prepared = prepare(self.config)
        self.network: MultiTaskNetwork = build_network(self.config, prepared.encoder, prepared.groups).eval()
        self.objective = Objective(prepared.groups, self.config.weighting, self.config.seed)
        self.objective.on_step_start(SEED_STEP, 10)
        self.gradients = StepGradients(Accelerator(), self.network, self.objective.group_sizes)
        self.weights = [
            task.config.weight for group in prepared.groups for task in group.tasks if task.auxiliary_spec is None
        ]
        self.batch: Batch = prepared.examples.build_batch(
            prepared.split.train[:12], torch.device("cpu"), sample_token_mask
        )
        self.features: list[torch.Tensor] = []
        self.network.trunk.register_forward_hook(lambda _, __, outputs: self.features.append(outputs[0].values))

    def collect_grads(self) -> dict[str, torch.Tensor]:
        return {name: p.grad.clone() for name, p in self.network.named_parameters() if p.grad is not None}


def compute_expected(setup: Setup, type_name: str) -> dict[str, torch.Tensor]:
    """Return the gradient of each parameter, with one backward pass per loss and TorchJD's aggregator."""
    losses = compute_losses(setup.network, setup.objective, setup.batch)
    main = losses.select_first(len(setup.weights))
    weighted = main.values * torch.tensor(setup.weights)[main.tasks]
    features = setup.features[0]
    rows = [torch.autograd.grad(value, features, retain_graph=True)[0].flatten() for value in weighted]
    combined = aggregate_with_torchjd(AGGREGATORS[type_name](), torch.stack(rows), SEED_STEP, setup.config.seed)
    trunk, heads = dict(setup.network.trunk.named_parameters()), dict(setup.network.groups.named_parameters())
    expected: dict[str, torch.Tensor] = {}

    def add(prefix: str, names: list[str], gradients: tuple[torch.Tensor | None, ...]) -> None:
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None:
                key = f"{prefix}.{name}"
                expected[key] = expected.get(key, torch.zeros_like(gradient)) + gradient

    total = setup.objective.compute_total(losses)
    add("groups", list(heads), torch.autograd.grad(total, list(heads.values()), retain_graph=True, allow_unused=True))
    auxiliary = total - weighted.sum()
    if len(setup.weights) < len(losses.counts):
        gradients = torch.autograd.grad(auxiliary, list(trunk.values()), retain_graph=True, allow_unused=True)
        add("trunk", list(trunk), gradients)
    flat = combined.view_as(features)
    add("trunk", list(trunk), torch.autograd.grad(features, list(trunk.values()), flat, allow_unused=True))
    return expected


@pytest.mark.parametrize("type_name", AGGREGATORS)
@pytest.mark.parametrize("name", [*NETWORKS, *TOYS])
def test_step_is_that_of_the_aggregator_at_the_features(tmp_path: Path, name: str, type_name: str) -> None:
    setup = Setup(tmp_path, name, f"{{type: {type_name}, gradients: features}}")
    expected = compute_expected(setup, type_name)
    setup.features.clear()
    losses = compute_losses(setup.network, setup.objective, setup.batch)
    setup.objective.backward(losses, None, setup.gradients)
    actual = setup.collect_grads()
    assert actual.keys() == expected.keys()
    for key, gradient in expected.items():
        torch.testing.assert_close(actual[key], gradient, rtol=1e-3, atol=1e-6, msg=f"the gradient of {key} differs")


def test_features_and_parameters_give_different_steps_except_for_a_sum(tmp_path: Path) -> None:
    grads = {}
    for type_name in ("upgrad", "gradient-sum"):
        for location in ("features", "parameters"):
            setup = Setup(tmp_path, "linear heads", f"{{type: {type_name}, gradients: {location}}}")
            setup.objective.backward(compute_losses(setup.network, setup.objective, setup.batch), None, setup.gradients)
            grads[type_name, location] = torch.cat(
                [grad.flatten() for key, grad in setup.collect_grads().items() if key.startswith("trunk.")]
            )
    torch.testing.assert_close(
        grads["gradient-sum", "features"], grads["gradient-sum", "parameters"], rtol=1e-4, atol=1e-6
    )
    difference = (grads["upgrad", "features"] - grads["upgrad", "parameters"]).norm()
    assert difference > 1e-3 * grads["upgrad", "parameters"].norm()


def test_one_backward_pass_visits_the_layers_before_the_heads(tmp_path: Path) -> None:
    n_visits = {}
    for location in ("features", "parameters"):
        setup = Setup(tmp_path, "grouped heads", f"{{type: upgrad, gradients: {location}}}")
        visits: list[None] = []
        losses = compute_losses(setup.network, setup.objective, setup.batch)
        for feature in setup.features:
            feature.register_hook(lambda gradient, visits=visits: visits.append(None))  # type: ignore[no-untyped-call]
        parameter = next(setup.network.trunk.parameters())
        parameter.register_hook(lambda gradient, visits=visits: visits.append(None))  # type: ignore[no-untyped-call]
        setup.objective.backward(losses, None, setup.gradients)
        n_visits[location] = len(visits)
    assert n_visits["features"] < n_visits["parameters"]


def test_architecture_with_features_per_task_is_refused(tmp_path: Path) -> None:
    settings = [*TEXT, "architecture={type: mmoe, experts: 2}", "weighting={type: pcgrad, gradients: features}"]
    config = load_experiment("topic-sentiment", settings).config
    with pytest.raises(MtlError, match=r"weighting.*features per task"):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_several_processes_are_refused(tmp_path: Path) -> None:
    setup = Setup(tmp_path, "linear heads", "{type: upgrad, gradients: features}")
    setup.gradients.distributed = DistributedContext(2, 0)
    losses = compute_losses(setup.network, setup.objective, setup.batch)
    with pytest.raises(MtlError, match="one process"):
        setup.objective.backward(losses, None, setup.gradients)
