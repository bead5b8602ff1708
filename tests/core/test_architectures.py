"""Hard and soft sharing: from independent networks at strength 0 to a single shared network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import architecture_checks as checks
import numpy as np
import pytest
import torch
import toy
from accelerate import Accelerator
from architecture_checks import CPU, OPTIMIZERS, TASKS, Block, IdentityInputLayer
from safetensors.torch import load_file
from torch import nn
from toy import task_block, tensor_bits, toy_config, toy_network

from mtl_core import FeatureShape, MtlError
from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.architectures.modules.soft_sharing import SoftSharingTrunks, squared_distance, trace_norm
from mtl_core.builtins.architectures.soft_sharing import SoftSharing
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import Examples
from mtl_core.data.fitted_data import FittedData
from mtl_core.nn.architecture import NetworkParts
from mtl_core.nn.named_weights import collect_named_weights
from mtl_core.nn.network import MultiTaskNetwork, count_parameters
from mtl_core.runs.build_network import build_network
from mtl_core.runs.run import run_experiment
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.callback import NullCallback
from mtl_core.training.gradients import StepGradients
from mtl_core.training.loop import train
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step

ARCHITECTURES: dict[str, Block] = {
    "hard": {"type": "hard-sharing"},
    "l2": {"type": "soft-sharing", "strength": 0.5},
    "trace-norm": {"type": "soft-sharing", "distance": "trace-norm", "strength": 0.1},
}
NO_DROPOUT: Block = {"type": "mlp", "hidden_dims": [8]}
every_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


# ── checks of every architecture ──


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@every_architecture
def test_unlabelled_tasks_unchanged(tmp_path: Path, name: str, optimizer: str) -> None:
    checks.check_unlabelled_tasks_unchanged(tmp_path, ARCHITECTURES[name], optimizer)


@every_architecture
def test_task_specific_parameters(tmp_path: Path, name: str) -> None:
    checks.check_task_specific_parameters(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_masked_labels_have_no_effect(tmp_path: Path, name: str) -> None:
    checks.check_masked_labels_have_no_effect(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_outputs_independent_of_active_tasks(tmp_path: Path, name: str) -> None:
    checks.check_outputs_independent_of_active_tasks(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_loaded_run_predictions(tmp_path: Path, name: str) -> None:
    checks.check_loaded_run_predictions(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_interrupted_run_resumes_to_the_same_bits(tmp_path: Path, name: str) -> None:
    checks.check_resume_is_bitwise_equal(tmp_path, ARCHITECTURES[name])


@pytest.mark.parametrize("spec", [HardSharing(), SoftSharing()], ids=lambda spec: spec.type)
def test_padding_invariance_and_single_vectors(spec: Any) -> None:
    checks.check_padding_invariance(spec)
    checks.check_single_vectors(spec)


# ── hard sharing ──


def test_hard_sharing_has_one_backbone_for_any_number_of_tasks(tmp_path: Path) -> None:
    counts = {}
    for tasks in (1, 2, 5):
        _, network, _ = toy_network(toy_config(tmp_path, data={"type": "toy", "tasks": tasks}))
        counts[tasks] = count_parameters(network)
    head = 8 * 3 + 3
    assert counts == {tasks: 6 * 8 + 8 + tasks * head for tasks in (1, 2, 5)}


def test_soft_sharing_has_one_trunk_per_task_with_equal_initial_weights(tmp_path: Path) -> None:
    config = toy_config(tmp_path, architecture=ARCHITECTURES["l2"])
    _, network, _ = toy_network(config)
    assert count_parameters(network) == 3 * (6 * 8 + 8 + 8 * 3 + 3)
    first, *other_trunks = get_trunk_parameters(network)
    assert all(tensor_bits(trunk) == tensor_bits(first) for trunk in other_trunks)


# ── soft sharing without strength: independent networks ──


def select_task(name: str, config: ExperimentConfig, prepared: FittedData) -> tuple[ExperimentConfig, FittedData]:
    """Return the same data and batches with one task of the three."""
    task_index = [task.name for task in prepared.tasks].index(name)
    all_examples = prepared.examples
    examples = Examples(
        all_examples.encoder,
        all_examples.items,
        all_examples.lengths,
        [all_examples.targets[task_index]],
        [all_examples.weights[task_index]],
    )
    task_data = replace(
        prepared, tasks=[prepared.tasks[task_index]], groups=[prepared.groups[task_index]], examples=examples
    )
    return config, task_data


def train_network(config: ExperimentConfig, prepared: FittedData) -> MultiTaskNetwork:
    network = build_network(config, prepared.encoder, prepared.groups)
    train(
        config,
        network,
        Objective(prepared.groups, config.weighting),
        prepared.examples,
        build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths),
        config.training.epochs,
        Accelerator(),
        None,
        None,
        NullCallback(),
    )
    return network


def get_task_weights(network: MultiTaskNetwork, group_index: int, name: str) -> dict[str, bytes]:
    """Return a task's trunk and head under names without the task's index, as bytes."""
    trunk = {f"trunk.{key}": value for key, value in network.trunk.trunks[f"task-{name}"].state_dict().items()}  # type: ignore[union-attr, index]
    return tensor_bits({**trunk, **network.head_groups()[group_index].state_dict()})


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "adam"])
def test_strength_zero_equals_single_task_training_bitwise(tmp_path: Path, optimizer: str) -> None:
    """Each number of a task's network results from the same operations on the same numbers, so all bits are equal.

    The networks have no dropout, since all networks of a process share one random generator.
    """
    config = toy_config(
        tmp_path,
        data={"type": "toy", "rows": 50, "labelled": 0.3},
        architecture={"type": "soft-sharing", "strength": 0.0},
        backbone=NO_DROPOUT,
        optimizer={**OPTIMIZERS, "adam": {"type": "adam", "lr": 0.02}}[optimizer],
        schedule={"type": "cosine", "warmup": 0.1},
        training={"epochs": 4, "batch_size": 3},
    )
    prepared, _, _ = toy_network(config)
    assert all(count_batches_without_labels(config, prepared)), "the test needs batches without labels for each task"
    joint_network = train_network(config, prepared)
    for group_index, name in enumerate(TASKS):
        single_network = train_network(*select_task(name, config, prepared))
        assert get_task_weights(joint_network, group_index, name) == get_task_weights(single_network, 0, name)
    assert get_task_weights(joint_network, 0, "t0") != get_task_weights(joint_network, 1, "t1")


def count_batches_without_labels(config: ExperimentConfig, prepared: FittedData) -> list[int]:
    """Return per task the number of batches of the training without a label for it."""
    batch_sampler = build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    batches = [
        prepared.examples.build_batch(rows, CPU) for epoch in range(4) for rows in batch_sampler.get_batches(epoch)
    ]
    masks = [[group.mask(table) for group, table in zip(prepared.groups, b.targets, strict=True)] for b in batches]
    return [sum(not mask[group_index].any() for mask in masks) for group_index in range(len(TASKS))]


def test_runs_of_one_and_of_three_tasks_save_the_same_networks(tmp_path: Path) -> None:
    """Saved networks are the same, too. Every example has every label, so that no run excludes an example."""
    kind = {"type": "classification", "classes": ["c0", "c1", "c2", "absent"]}
    blocks: Block = {
        "data": {"type": "toy", "labelled": 1.0},
        "split": {"type": "random", "validation": 0.0},
        "architecture": {"type": "soft-sharing", "strength": 0.0},
        "backbone": NO_DROPOUT,
    }
    task_blocks = [task_block(kind=kind, mask="observed", name=name) for name in TASKS]
    run_experiment(toy_config(tmp_path, **blocks, tasks=task_blocks), tmp_path / "together")
    joint_weights = load_file(tmp_path / "together" / "model.safetensors")
    for group_index, (name, block) in enumerate(zip(TASKS, task_blocks, strict=True)):
        run_experiment(toy_config(tmp_path, **blocks, tasks=[block]), tmp_path / name)
        single_weights = tensor_bits(load_file(tmp_path / name / "model.safetensors"))
        task_weights = {
            key.replace(f"groups.{group_index}.", "groups.0."): value
            for key, value in joint_weights.items()
            if key.startswith((f"trunk.trunks.task-{name}.", f"groups.{group_index}."))
        }
        assert tensor_bits(task_weights) == single_weights


# ── soft sharing with strength: decreasing distance ──


def get_trunk_parameters(network: MultiTaskNetwork) -> list[dict[str, torch.Tensor]]:
    return [dict(trunk.named_parameters()) for trunk in network.trunk.trunks.values()]  # type: ignore[operator]


def compute_trunk_distance(network: MultiTaskNetwork) -> float:
    """Return the root mean square distance of the trunks from their mean, relative to their norm."""
    vectors = [torch.cat([p.detach().flatten() for p in trunk.values()]) for trunk in get_trunk_parameters(network)]
    stacked = torch.stack(vectors)
    return float((stacked - stacked.mean(dim=0)).norm() / stacked.norm())


def compute_feature_distance(network: MultiTaskNetwork, prepared: FittedData) -> float:
    """Return the relative distance of the tasks' features of all examples from their mean."""
    batch = prepared.examples.build_batch(np.arange(len(prepared.corpus)), CPU)
    with torch.no_grad():
        features = torch.stack(
            [
                task_features.values
                for task_features in network.trunk(batch.inputs, [True] * 3)
                if task_features is not None
            ]
        )
    return float((features - features.mean(dim=0)).norm() / features.norm())


def test_stronger_penalty_reduces_distances_of_trunks_and_features(tmp_path: Path) -> None:
    weights, features = [], []
    for strength in (0.0, 1.0, 100.0):
        config = toy_config(
            tmp_path,
            architecture={"type": "soft-sharing", "strength": strength},
            backbone=NO_DROPOUT,
            optimizer={"type": "sgd", "lr": 0.01},  # strength * lr stays below the number of tasks
            training={"epochs": 40, "batch_size": 12},
        )
        prepared, _, _ = toy_network(config)
        network = train_network(config, prepared)
        weights.append(compute_trunk_distance(network))
        features.append(compute_feature_distance(network, prepared))
    assert weights == sorted(weights, reverse=True)
    assert features == sorted(features, reverse=True)
    assert weights[0] > 0.05
    assert weights[-1] < weights[0] / 100
    assert features[-1] < features[0] / 50


def test_very_strong_penalty_equals_hard_sharing(tmp_path: Path) -> None:
    """Trunks held together move by the mean of the tasks' gradients: like one trunk at a lower learning rate."""
    lr, tasks = 0.02, len(TASKS)
    # At this strength one step makes the trunks equal; a stronger penalty would overshoot.
    networks, outputs_by_architecture = {}, {}
    heads: dict[str, torch.Tensor] = {}
    strong = {"type": "soft-sharing", "strength": tasks / (2 * lr)}
    for name, architecture in {"soft": strong, "hard": {"type": "hard-sharing"}}.items():
        config = toy_config(tmp_path, architecture=architecture, backbone=NO_DROPOUT)
        prepared, network, objective = toy_network(config)
        for key, value in get_named_weights(network).items():
            if key.startswith("heads."):
                value.copy_(heads.setdefault(key, value.clone()))
        trunk_parameters, trunk_lr = network.trunk.parameters(), lr if name == "soft" else lr / tasks
        gradients = StepGradients(Accelerator(), network, objective.group_sizes)
        parameter_groups: list[dict[str, Any]] = [
            {"params": trunk_parameters, "lr": trunk_lr},
            {"params": network.groups.parameters()},
        ]
        optimizer = torch.optim.SGD(parameter_groups, lr)
        batch_sampler = build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths)
        for epoch in range(70):
            for rows in batch_sampler.get_batches(epoch):
                batch = prepared.examples.build_batch(rows, CPU)
                training_step(gradients, network, objective, optimizer, batch, None)
        networks[name], outputs_by_architecture[name] = network, compute_outputs(network, prepared)
    assert compute_trunk_distance(networks["soft"]) < 0.01
    assert float(outputs_by_architecture["hard"].std()) > 0.5
    assert (
        outputs_by_architecture["soft"].argmax(dim=2) == outputs_by_architecture["hard"].argmax(dim=2)
    ).float().mean() > 0.99
    assert (outputs_by_architecture["soft"] - outputs_by_architecture["hard"]).norm() < 0.02 * outputs_by_architecture[
        "hard"
    ].norm()


def compute_outputs(network: MultiTaskNetwork, prepared: FittedData) -> torch.Tensor:
    """Return the outputs of all tasks for all examples, `(examples, tasks, classes)`."""
    batch = prepared.examples.build_batch(np.arange(len(prepared.corpus)), CPU)
    with torch.no_grad():
        return torch.cat([group.outputs for group in network(batch.inputs) if group is not None], dim=1)


def get_named_weights(network: MultiTaskNetwork) -> dict[str, torch.Tensor]:
    names = [TASKS] if len(network.groups) == 1 else [[name] for name in TASKS]
    return collect_named_weights(network, names)


def compute_rank_one_share(network: MultiTaskNetwork) -> float:
    """Return the largest singular values' share of the sum of all; 1 if the trunks are multiples of each other."""
    largest, total = torch.zeros(2)
    for versions in zip(*(trunk.values() for trunk in get_trunk_parameters(network)), strict=True):
        values = torch.linalg.svdvals(torch.stack([parameter.detach().flatten() for parameter in versions]))
        largest, total = largest + values[0], total + values.sum()
    return float(largest / total)


def test_stronger_trace_norm_approaches_rank_one(tmp_path: Path) -> None:
    rank_one_shares = []
    for strength in (0.0, 0.1, 0.4):
        config = toy_config(
            tmp_path,
            architecture={"type": "soft-sharing", "distance": "trace-norm", "strength": strength},
            backbone=NO_DROPOUT,
            optimizer={"type": "sgd", "lr": 0.01},
            training={"epochs": 60, "batch_size": 12},
        )
        prepared, _, _ = toy_network(config)
        rank_one_shares.append(compute_rank_one_share(train_network(config, prepared)))
    assert rank_one_shares == sorted(rank_one_shares)
    assert rank_one_shares[0] < 0.6
    assert rank_one_shares[-1] > 0.9


# ── the regularization loss ──


def build_two_trunks(spec: SoftSharing) -> SoftSharingTrunks:
    """Build two tasks whose trunks are `w · x + b`, with w = (1, 2) and (3, 2), b = 0.5 and -0.5."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)
            self.output = FeatureShape(1, sequence=False)

    architecture = spec.build(
        NetworkParts(lambda: IdentityInputLayer(FeatureShape(2, sequence=False)), lambda _: Layer()), ["a", "b"]
    )
    assert isinstance(architecture, SoftSharingTrunks)
    values = {"a": ([[1.0, 2.0]], [0.5]), "b": ([[3.0, 2.0]], [-0.5])}
    for name, (weight, bias) in values.items():
        state = {"backbone.layer.weight": torch.tensor(weight), "backbone.layer.bias": torch.tensor(bias)}
        architecture.trunks[f"task-{name}"].load_state_dict(state)
    return architecture


def test_squared_distance_formula() -> None:
    penalty = build_two_trunks(SoftSharing(strength=2)).regularization_loss()
    # Each trunk deviates from the means (2, 2) and 0 by 1 and 0 in w, by 0.5 in b: mean squares 1 + 0 + 0.25.
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * 1.25)


def test_trace_norm_formula() -> None:
    penalty = build_two_trunks(SoftSharing(distance="trace-norm", strength=2)).regularization_loss()
    # [[1, 2], [3, 2]]: s1 · s2 = |det| = 4 and s1² + s2² = 18, so (s1 + s2)² = 26. [[0.5], [-0.5]]: √0.5, and 0.
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * (26**0.5 + 0.5**0.5), abs=5e-4)


@pytest.mark.parametrize("spec", [SoftSharing(strength=0), SoftSharing(strength=0, distance="trace-norm")])
def test_strength_zero_has_no_penalty(spec: SoftSharing) -> None:
    assert build_two_trunks(spec).regularization_loss() is None


def test_penalty_excludes_frozen_parameters() -> None:
    architecture = build_two_trunks(SoftSharing(strength=2))
    for trunk in architecture.trunks.values():
        trunk.backbone.layer.weight.requires_grad_(False)  # type: ignore[union-attr]
    penalty = architecture.regularization_loss()
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * 0.25)
    architecture.requires_grad_(False)
    assert architecture.regularization_loss() is None


def compute_gradient(distance: Any, versions: torch.Tensor) -> torch.Tensor:
    versions = versions.clone().requires_grad_()
    distance(versions).backward()
    assert versions.grad is not None
    return versions.grad


@pytest.mark.parametrize("shape", [(2, 5), (3, 40), (5, 3)])
def test_trace_norm_gradient_equals_nuclear_norm_gradient(shape: tuple[int, int]) -> None:
    versions = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = compute_gradient(lambda matrix: torch.linalg.matrix_norm(matrix, ord="nuc"), versions)
    torch.testing.assert_close(compute_gradient(trace_norm, versions), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1e-6, 0.3, 100.0])
def test_penalties_of_equal_trunks_have_finite_gradients(value: float) -> None:
    start = torch.linspace(1, 2, 7) * value
    versions = start.repeat(3, 1)
    assert not compute_gradient(squared_distance, versions).any()
    trace_norm_gradient = compute_gradient(trace_norm, versions)
    assert torch.isfinite(trace_norm_gradient).all()
    if value > 1e-3:  # all in one direction: the gradient shrinks it and keeps the trunks equal
        torch.testing.assert_close(
            trace_norm_gradient, (start / start.norm() / 3**0.5).repeat(3, 1), rtol=1e-3, atol=1e-5
        )


def test_penalty_changes_no_unlabelled_trunk_and_limits_the_distance(tmp_path: Path) -> None:
    distances = {}
    for strength in (0.0, 5.0):
        setup = checks.TrainingSetup(tmp_path, {"type": "soft-sharing", "strength": strength}, "momentum")
        for _ in range(3):
            setup.run_step()
        before = setup.get_task_state("t0")
        for _ in range(10):
            setup.run_step(without=["t0", "t1"])
        assert setup.get_task_state("t0") == before
        distances[strength] = compute_trunk_distance(setup.network)
    assert 0 < distances[5.0] < distances[0.0] / 4


# ── architectures of plugins ──

TRUNKS_PLUGIN = '''\
"""One trunk per task, with a shared input layer or one input layer per trunk."""

from typing import Literal

from torch import nn

from mtl_core import ArchitectureSpec, hookimpl
from mtl_core.builtins.architectures.modules.hard_sharing import SharedTrunk
from mtl_core.nn.architecture import Architecture


class Trunks(Architecture):
    def __init__(self, parts, tasks, shared_input):
        super().__init__()
        self.trunks = nn.ModuleList([SharedTrunk(parts) for _ in tasks])
        if shared_input:
            for trunk in self.trunks:
                trunk.input_layer = self.trunks[0].input_layer
        self.output = self.trunks[0].output

    def forward(self, inputs, active):
        return [trunk(inputs, [True])[0] for trunk in self.trunks]


class PerTask(ArchitectureSpec):
    """Trunks that share the input layer, or do not."""

    type: Literal["per-task"] = "per-task"
    shared_input: bool

    def build(self, parts, tasks):
        return Trunks(parts, tasks, self.shared_input)


@hookimpl
def mtl_architectures():
    return [PerTask]
'''


@pytest.mark.parametrize("shared_input", [True, False])
def test_components_can_be_built_repeatedly_and_shared(tmp_path: Path, shared_input: bool) -> None:
    """Checkpoints and saved models support both: one tensor under two names, and equal tensors."""
    (tmp_path / "per_task.py").write_text(TRUNKS_PLUGIN, encoding="utf-8")
    plugins = [toy.__file__, str(tmp_path / "per_task.py")]
    config = toy_config(tmp_path, plugins=plugins, architecture={"type": "per-task", "shared_input": shared_input})
    _, network, _ = toy_network(config)
    assert len({buffer.data_ptr() for buffer in network.buffers()}) == (2 if shared_input else 2 * len(TASKS))
    checks.check_loaded_run_predictions(tmp_path, config.architecture.model_dump(), plugins)
    checks.check_resume_is_bitwise_equal(tmp_path, config.architecture.model_dump(), plugins)


INVALID_PLUGIN = '''\
"""Architectures with the fault that `what` names."""

from typing import Literal

from mtl_core import hookimpl
from mtl_core.builtins.architectures.modules.hard_sharing import SharedTrunk
from mtl_core.plugins.specs import ArchitectureSpec


class Trunk(SharedTrunk):
    def forward(self, inputs, active):
        [features] = super().forward(inputs, active)
        return {"single": features, "two": [features] * 2, "none": [None] * 3}[self.what]


class Wrong(ArchitectureSpec):
    """Wrong."""

    type: Literal["wrong"] = "wrong"
    what: str

    def build(self, parts, tasks):
        trunk = Trunk(parts)
        trunk.what = self.what
        if self.what == "shapeless":
            del trunk.output
        return trunk.backbone if self.what == "backbone" else trunk


@hookimpl
def mtl_architectures():
    return [Wrong]
'''


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("backbone", "architecture 'wrong': its build must return an `Architecture` with an attribute `output:"),
        ("shapeless", "architecture 'wrong': its build must return an `Architecture` with an attribute `output:"),
        (
            "single",
            "the architecture returned a Features, expected a list of one `Features` for all tasks, or of one per task",
        ),
        ("two", "the architecture returned 2, expected a list of one `Features` for all tasks, or of one per task"),
        ("none", "the architecture returned None for task 1, which is active"),
    ],
)
def test_invalid_architecture_is_reported(tmp_path: Path, what: str, expected: str) -> None:
    (tmp_path / "wrong.py").write_text(INVALID_PLUGIN, encoding="utf-8")
    plugins = [toy.__file__, str(tmp_path / "wrong.py")]
    config = toy_config(tmp_path, plugins=plugins, architecture={"type": "wrong", "what": what})
    with pytest.raises(MtlError) as excinfo:
        run_experiment(config, tmp_path / "run")
    assert expected in str(excinfo.value)
