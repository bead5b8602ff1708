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
from architecture_checks import CPU, OPTIMIZERS, TASKS, Block, Given
from safetensors.torch import load_file
from torch import nn
from toy import task_block, tensor_bits, toy_config, toy_network

from mtl_core import FeatureShape, MtlError
from mtl_core.builtins.architecture_modules import SoftlySharedBodies, squared_distance, trace_norm
from mtl_core.builtins.architectures import HardSharing, SoftSharing
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.model.architecture import NetworkParts
from mtl_core.model.network import MultiTaskNetwork, parameter_count
from mtl_core.model.weights_by_name import weights_by_name
from mtl_core.runs.prepare import Prepared, build_network
from mtl_core.runs.run import SilentView, run_experiment
from mtl_core.training.batches import Examples
from mtl_core.training.gradients import StepGradients
from mtl_core.training.loop import train
from mtl_core.training.objective import Objective
from mtl_core.training.order import training_order
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
def test_idle_tasks_stay(tmp_path: Path, name: str, optimizer: str) -> None:
    checks.check_idle_tasks_stay(tmp_path, ARCHITECTURES[name], optimizer)


@every_architecture
def test_a_task_owns_what_it_alone_reads(tmp_path: Path, name: str) -> None:
    checks.check_a_task_owns_what_it_alone_reads(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_labels_that_do_not_count_say_nothing(tmp_path: Path, name: str) -> None:
    checks.check_labels_that_do_not_count_say_nothing(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_who_is_asked_changes_no_answer(tmp_path: Path, name: str) -> None:
    checks.check_who_is_asked_changes_no_answer(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_a_loaded_run_says_the_same(tmp_path: Path, name: str) -> None:
    checks.check_a_loaded_run_says_the_same(tmp_path, ARCHITECTURES[name])


@every_architecture
def test_a_run_that_was_cut_off_resumes_to_the_same_bits(tmp_path: Path, name: str) -> None:
    checks.check_resumes_to_the_same_bits(tmp_path, ARCHITECTURES[name])


@pytest.mark.parametrize("spec", [HardSharing(), SoftSharing()], ids=lambda spec: spec.type)
def test_padding_changes_nothing_and_single_vectors_are_read(spec: Any) -> None:
    checks.check_padding_changes_nothing(spec)
    checks.check_single_vectors(spec)


# ── hard sharing ──


def test_hard_sharing_has_one_backbone_however_many_tasks(tmp_path: Path) -> None:
    counts = {}
    for tasks in (1, 2, 5):
        _, network, _ = toy_network(toy_config(tmp_path, data={"type": "toy", "tasks": tasks}))
        counts[tasks] = parameter_count(network)
    head = 8 * 3 + 3
    assert counts == {tasks: 6 * 8 + 8 + tasks * head for tasks in (1, 2, 5)}


def test_soft_sharing_has_a_body_for_each_task_and_all_begin_alike(tmp_path: Path) -> None:
    config = toy_config(tmp_path, architecture=ARCHITECTURES["l2"])
    _, network, _ = toy_network(config)
    assert parameter_count(network) == 3 * (6 * 8 + 8 + 8 * 3 + 3)
    first, *others = bodies(network)
    assert all(tensor_bits(body) == tensor_bits(first) for body in others)


# ── soft sharing without strength: independent networks ──


def alone(name: str, config: ExperimentConfig, prepared: Prepared) -> tuple[ExperimentConfig, Prepared]:
    """Return the same data and batches with one task of the three."""
    place = [task.name for task in prepared.tasks].index(name)
    whole = prepared.examples
    examples = Examples(whole.encoder, whole.items, whole.lengths, [whole.targets[place]], [whole.weights[place]])
    only = replace(prepared, tasks=[prepared.tasks[place]], groups=[prepared.groups[place]], examples=examples)
    return config, only


def trained(config: ExperimentConfig, prepared: Prepared) -> MultiTaskNetwork:
    network = build_network(config, prepared.encoder, prepared.groups)
    train(
        config,
        network,
        Objective(prepared.groups, config.weighting),
        prepared.examples,
        training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths),
        config.training.epochs,
        Accelerator(),
        None,
        None,
        SilentView(),
    )
    return network


def weights_of(network: MultiTaskNetwork, place: int, name: str) -> dict[str, bytes]:
    """Return a task's trunk and head under names without the task's index, as bytes."""
    body = {f"body.{key}": value for key, value in network.body.bodies[f"task-{name}"].state_dict().items()}  # type: ignore[union-attr, index]
    return tensor_bits({**body, **network.head_groups()[place].state_dict()})


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "adam"])
def test_without_strength_a_task_learns_bit_for_bit_what_it_learns_alone(tmp_path: Path, optimizer: str) -> None:
    """Each number of a task's network results from the same operations on the same numbers, so all bits are equal.

    The networks have no dropout, since all networks of a process share one random generator.
    """
    config = toy_config(
        tmp_path,
        data={"type": "toy", "rows": 50, "labelled": 0.3},
        architecture={"type": "soft-sharing", "strength": 0.0},
        backbone=NO_DROPOUT,
        optimizer={**OPTIMIZERS, "adam": {"type": "adam", "lr": 0.02}}[optimizer],
        schedule={"type": "cosine", "warm_up": 0.1},
        training={"epochs": 4, "batch_size": 3},
    )
    prepared, _, _ = toy_network(config)
    assert all(silent_batches(config, prepared)), "the test needs batches without labels for each task"
    together = trained(config, prepared)
    for place, name in enumerate(TASKS):
        single = trained(*alone(name, config, prepared))
        assert weights_of(together, place, name) == weights_of(single, 0, name)
    assert weights_of(together, 0, "t0") != weights_of(together, 1, "t1")


def silent_batches(config: ExperimentConfig, prepared: Prepared) -> list[int]:
    """Return per task the number of batches of the training without a label for it."""
    order = training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    batches = [prepared.examples.batch(rows, CPU) for epoch in range(4) for rows in order.epoch(epoch)]
    masks = [[group.mask(table) for group, table in zip(prepared.groups, b.targets, strict=True)] for b in batches]
    return [sum(not mask[place].any() for mask in masks) for place in range(len(TASKS))]


def test_whole_runs_of_one_task_and_of_three_save_the_same_networks(tmp_path: Path) -> None:
    """Saved networks are the same, too. Every example has every label, so that no run excludes an example."""
    kind = {"type": "classification", "classes": ["c0", "c1", "c2", "absent"]}
    blocks: Block = {
        "data": {"type": "toy", "labelled": 1.0},
        "split": {"type": "random", "validation": 0.0},
        "architecture": {"type": "soft-sharing", "strength": 0.0},
        "backbone": NO_DROPOUT,
    }
    every = [task_block(kind=kind, mask="observed", name=name) for name in TASKS]
    run_experiment(toy_config(tmp_path, **blocks, tasks=every), tmp_path / "together")
    together = load_file(tmp_path / "together" / "model.safetensors")
    for place, (name, block) in enumerate(zip(TASKS, every, strict=True)):
        run_experiment(toy_config(tmp_path, **blocks, tasks=[block]), tmp_path / name)
        single = tensor_bits(load_file(tmp_path / name / "model.safetensors"))
        of_task = {
            key.replace(f"groups.{place}.", "groups.0."): value
            for key, value in together.items()
            if key.startswith((f"body.bodies.task-{name}.", f"groups.{place}."))
        }
        assert tensor_bits(of_task) == single


# ── soft sharing with strength: decreasing distance ──


def bodies(network: MultiTaskNetwork) -> list[dict[str, torch.Tensor]]:
    return [dict(body.named_parameters()) for body in network.body.bodies.values()]  # type: ignore[union-attr, operator]


def spread(network: MultiTaskNetwork) -> float:
    """Return the root mean square distance of the trunks from their mean, relative to their norm."""
    found = [torch.cat([p.detach().flatten() for p in body.values()]) for body in bodies(network)]
    stacked = torch.stack(found)
    return float((stacked - stacked.mean(dim=0)).norm() / stacked.norm())


def feature_spread(network: MultiTaskNetwork, prepared: Prepared) -> float:
    """Return the relative distance of the tasks' features of all examples from their mean."""
    batch = prepared.examples.batch(np.arange(len(prepared.corpus)), CPU)
    with torch.no_grad():
        found = torch.stack([said.values for said in network.body(batch.inputs, [True] * 3) if said is not None])
    return float((found - found.mean(dim=0)).norm() / found.norm())


def test_the_stronger_the_penalty_the_nearer_the_bodies_and_their_features(tmp_path: Path) -> None:
    weights, features = [], []
    for strength in (0.0, 0.1, 1.0, 10.0, 100.0):
        config = toy_config(
            tmp_path,
            architecture={"type": "soft-sharing", "strength": strength},
            backbone=NO_DROPOUT,
            optimizer={"type": "sgd", "lr": 0.01},  # strength * lr stays below the number of tasks
            training={"epochs": 40, "batch_size": 12},
        )
        prepared, _, _ = toy_network(config)
        network = trained(config, prepared)
        weights.append(spread(network))
        features.append(feature_spread(network, prepared))
    assert weights == sorted(weights, reverse=True)
    assert features == sorted(features, reverse=True)
    assert weights[0] > 0.05
    assert weights[-1] < weights[0] / 100
    assert features[-1] < features[0] / 50


def test_a_very_strong_penalty_is_hard_sharing(tmp_path: Path) -> None:
    """Trunks held together move by the mean of the tasks' gradients: like one trunk at a lower learning rate."""
    rate, tasks = 0.02, len(TASKS)
    # At this strength one step makes the trunks equal; a stronger penalty would overshoot.
    networks, said, heads = {}, {}, {}
    strong = {"type": "soft-sharing", "strength": tasks / (2 * rate)}
    for name, architecture in {"soft": strong, "hard": {"type": "hard-sharing"}}.items():
        config = toy_config(tmp_path, architecture=architecture, backbone=NO_DROPOUT)
        prepared, network, objective = toy_network(config)
        for key, value in by_name(network).items():
            if key.startswith("heads."):
                value.copy_(heads.setdefault(key, value.clone()))
        body, body_rate = network.body.parameters(), rate if name == "soft" else rate / tasks
        optimizer = torch.optim.SGD(
            [{"params": body, "lr": body_rate}, {"params": network.groups.parameters()}], rate
        )
        order = training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths)
        for epoch in range(100):
            for rows in order.epoch(epoch):
                batch = prepared.examples.batch(rows, CPU)
                gradients = StepGradients(Accelerator(), network, objective.sizes)
                training_step(gradients, network, objective, optimizer, batch, None)
        networks[name], said[name] = network, outputs(network, prepared)
    assert spread(networks["soft"]) < 0.01
    assert float(said["hard"].std()) > 0.5
    assert (said["soft"].argmax(dim=2) == said["hard"].argmax(dim=2)).float().mean() > 0.99
    assert (said["soft"] - said["hard"]).norm() < 0.02 * said["hard"].norm()


def outputs(network: MultiTaskNetwork, prepared: Prepared) -> torch.Tensor:
    """Return the outputs of all tasks for all examples, `(examples, tasks, classes)`."""
    batch = prepared.examples.batch(np.arange(len(prepared.corpus)), CPU)
    with torch.no_grad():
        return torch.cat([group.outputs for group in network(batch.inputs) if group is not None], dim=1)


def by_name(network: MultiTaskNetwork) -> dict[str, torch.Tensor]:
    names = [TASKS] if len(network.groups) == 1 else [[name] for name in TASKS]
    return weights_by_name(network, names)


def rank_oneness(network: MultiTaskNetwork) -> float:
    """Return the largest singular values' share of the sum of all; 1 if the trunks are multiples of each other."""
    largest, total = torch.zeros(2)
    for versions in zip(*(body.values() for body in bodies(network)), strict=True):
        values = torch.linalg.svdvals(torch.stack([one.detach().flatten() for one in versions]))
        largest, total = largest + values[0], total + values.sum()
    return float(largest / total)


def test_the_stronger_the_trace_norm_the_nearer_to_rank_one(tmp_path: Path) -> None:
    found = []
    for strength in (0.0, 0.01, 0.1, 0.2, 0.4):
        config = toy_config(
            tmp_path,
            architecture={"type": "soft-sharing", "distance": "trace-norm", "strength": strength},
            backbone=NO_DROPOUT,
            optimizer={"type": "sgd", "lr": 0.01},
            training={"epochs": 60, "batch_size": 12},
        )
        prepared, _, _ = toy_network(config)
        found.append(rank_oneness(trained(config, prepared)))
    assert found == sorted(found)
    assert found[0] < 0.6
    assert found[-1] > 0.9


# ── the regularization loss ──


def two_bodies(spec: SoftSharing) -> SoftlySharedBodies:
    """Build two tasks whose trunks are `w · x + b`, with w = (1, 2) and (3, 2), b = 0.5 and -0.5."""

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)
            self.output = FeatureShape(1, sequence=False)

    body = spec.build(NetworkParts(lambda: Given(FeatureShape(2, sequence=False)), lambda _: Layer()), ["a", "b"])
    assert isinstance(body, SoftlySharedBodies)
    values = {"a": ([[1.0, 2.0]], [0.5]), "b": ([[3.0, 2.0]], [-0.5])}
    for name, (weight, bias) in values.items():
        state = {"backbone.layer.weight": torch.tensor(weight), "backbone.layer.bias": torch.tensor(bias)}
        body.bodies[f"task-{name}"].load_state_dict(state)
    return body


def test_the_squared_distance_by_hand() -> None:
    penalty = two_bodies(SoftSharing(strength=2)).penalty()
    # Each trunk deviates from the means (2, 2) and 0 by 1 and 0 in w, by 0.5 in b: mean squares 1 + 0 + 0.25.
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * 1.25)


def test_the_trace_norm_by_hand() -> None:
    penalty = two_bodies(SoftSharing(distance="trace-norm", strength=2)).penalty()
    # [[1, 2], [3, 2]]: s1 · s2 = |det| = 4 and s1² + s2² = 18, so (s1 + s2)² = 26. [[0.5], [-0.5]]: √0.5, and 0.
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * (26**0.5 + 0.5**0.5), abs=5e-4)


@pytest.mark.parametrize("spec", [SoftSharing(strength=0), SoftSharing(strength=0, distance="trace-norm")])
def test_no_strength_is_no_penalty(spec: SoftSharing) -> None:
    assert two_bodies(spec).penalty() is None


def test_frozen_parameters_are_left_out_of_the_penalty() -> None:
    body = two_bodies(SoftSharing(strength=2))
    for one in body.bodies.values():
        one.backbone.layer.weight.requires_grad_(False)  # type: ignore[union-attr]
    penalty = body.penalty()
    assert penalty is not None
    assert penalty.item() == pytest.approx(2 * 0.25)
    body.requires_grad_(False)
    assert body.penalty() is None


def gradient(distance: Any, versions: torch.Tensor) -> torch.Tensor:
    versions = versions.clone().requires_grad_()
    distance(versions).backward()
    assert versions.grad is not None
    return versions.grad


@pytest.mark.parametrize("shape", [(2, 5), (3, 40), (5, 3)])
def test_the_gradient_of_the_trace_norm_is_that_of_the_nuclear_norm(shape: tuple[int, int]) -> None:
    versions = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = gradient(lambda wide: torch.linalg.matrix_norm(wide, ord="nuc"), versions)
    torch.testing.assert_close(gradient(trace_norm, versions), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1e-6, 0.3, 100.0])
def test_where_all_bodies_begin_alike_penalties_have_a_finite_gradient(value: float) -> None:
    start = torch.linspace(1, 2, 7) * value
    versions = start.repeat(3, 1)
    assert not gradient(squared_distance, versions).any()
    found = gradient(trace_norm, versions)
    assert torch.isfinite(found).all()
    if value > 1e-3:  # all in one direction: the gradient shrinks it and keeps the trunks equal
        torch.testing.assert_close(found, (start / start.norm() / 3**0.5).repeat(3, 1), rtol=1e-3, atol=1e-5)


def test_a_penalty_moves_no_idle_body_and_holds_the_others(tmp_path: Path) -> None:
    apart = {}
    for strength in (0.0, 5.0):
        bench = checks.Bench(tmp_path, {"type": "soft-sharing", "strength": strength}, "momentum")
        for _ in range(3):
            bench.step()
        before = bench.state("t0")
        for _ in range(10):
            bench.step(without=["t0", "t1"])
        assert bench.state("t0") == before
        apart[strength] = spread(bench.network)
    assert 0 < apart[5.0] < apart[0.0] / 4


# ── architectures of plugins ──

TWICE = '''\
"""One trunk per task, with a shared input layer or one input layer per trunk."""

from typing import Literal

from torch import nn

from mtl_core import ArchitectureSpec, hookimpl
from mtl_core.builtins.architecture_modules import SharedBody
from mtl_core.model.architecture import Architecture


class Trunks(Architecture):
    def __init__(self, parts, tasks, shared_input):
        super().__init__()
        self.trunks = nn.ModuleList([SharedBody(parts) for _ in tasks])
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


@pytest.mark.parametrize("one", [True, False])
def test_parts_may_be_made_several_times_and_held_under_several_names(tmp_path: Path, one: bool) -> None:
    """Checkpoints and saved models support both: one tensor under two names, and equal tensors."""
    (tmp_path / "per_task.py").write_text(TWICE, encoding="utf-8")
    plugins = [toy.__file__, str(tmp_path / "per_task.py")]
    config = toy_config(tmp_path, plugins=plugins, architecture={"type": "per-task", "shared_input": one})
    _, network, _ = toy_network(config)
    assert len({buffer.data_ptr() for buffer in network.buffers()}) == (2 if one else 2 * len(TASKS))
    checks.check_a_loaded_run_says_the_same(tmp_path, config.architecture.model_dump(), plugins)
    checks.check_resumes_to_the_same_bits(tmp_path, config.architecture.model_dump(), plugins)


WRONG = '''\
"""Architectures with the fault that `what` names."""

from typing import Literal

from mtl_core import hookimpl
from mtl_core.builtins.architecture_modules import SharedBody
from mtl_core.specs import ArchitectureSpec


class Body(SharedBody):
    def forward(self, inputs, active):
        [features] = super().forward(inputs, active)
        return {"single": features, "two": [features] * 2, "none": [None] * 3}[self.what]


class Wrong(ArchitectureSpec):
    """Wrong."""

    type: Literal["wrong"] = "wrong"
    what: str

    def build(self, parts, tasks):
        body = Body(parts)
        body.what = self.what
        if self.what == "shapeless":
            del body.output
        return body.backbone if self.what == "backbone" else body


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
            "the architecture returned a Features, expected a list of one `Features` for all tasks, or of one for",
        ),
        ("two", "the architecture returned 2, expected a list of one `Features` for all tasks, or of one per task"),
        ("none", "the architecture returned None for task 1, which is active"),
    ],
)
def test_a_wrong_architecture_is_told_how(tmp_path: Path, what: str, expected: str) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    plugins = [toy.__file__, str(tmp_path / "wrong.py")]
    config = toy_config(tmp_path, plugins=plugins, architecture={"type": "wrong", "what": what})
    with pytest.raises(MtlError) as refused:
        run_experiment(config, tmp_path / "run")
    assert expected in str(refused.value)
