"""Training with every architecture of the plugin: unlabelled tasks, gradient weightings, many tasks in one product."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import architecture_checks as checks
import numpy as np
import pytest
import torch
from accelerate import Accelerator
from architecture_checks import CPU, Block
from toy import CLASSES, task_block, tensor_bits, toy_config, toy_network

from mtl_core.data import task_groups
from mtl_core.data.task_groups import MIN_STACKED_TASKS
from mtl_core.nn.heads import SeparateHeads
from mtl_core.nn.named_weights import collect_named_weights
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import compute_losses, training_step

N_TASKS = MIN_STACKED_TASKS + 1
LEARNED: dict[str, Block] = {
    "cgc": {"type": "cgc"},
    "ple": {"type": "ple"},
    "ple, no task experts": {"type": "ple", "task_experts": 0},
    "dselect-k": {"type": "dselect-k"},
    "dselect-k, per example": {"type": "dselect-k", "per_example": True, "experts": 3},
    "mtan": {"type": "mtan"},
    "adashare": {"type": "adashare", "warmup": 0.0, "blocks": 2},
}
ALL: dict[str, Block] = {
    **LEARNED,
    "mmoe": {"type": "mmoe"},
    "cross-stitch": {"type": "cross-stitch"},
    "cross-stitch, per channel": {"type": "cross-stitch", "per_channel": True},
    "soft-sharing": {"type": "soft-sharing"},
}
MANY: Block = {"data": {"type": "toy", "tasks": N_TASKS, "rows": 80, "labelled": 0.3}}
NO_DROPOUT: Block = {"backbone": {"type": "mlp", "hidden_dims": [8]}}


# ── few tasks: invariants of every architecture ──


@pytest.mark.parametrize("name", LEARNED)
def test_parameters_of_an_unlabelled_task_are_unchanged(tmp_path: Path, name: str) -> None:
    checks.check_unlabelled_tasks_unchanged(tmp_path, LEARNED[name], "adamw")


@pytest.mark.parametrize("name", LEARNED)
def test_task_specific_parameters_affect_one_task(tmp_path: Path, name: str) -> None:
    checks.check_task_specific_parameters(tmp_path, LEARNED[name])


@pytest.mark.parametrize("name", LEARNED)
def test_outputs_do_not_depend_on_the_active_tasks(tmp_path: Path, name: str) -> None:
    checks.check_outputs_independent_of_active_tasks(tmp_path, LEARNED[name])


@pytest.mark.parametrize("name", ["ple", "dselect-k, per example", "adashare"])
def test_interrupted_run_resumes_bit_for_bit(tmp_path: Path, name: str) -> None:
    checks.check_resume_is_bitwise_equal(tmp_path, LEARNED[name])


# ── many tasks: one product for all ──


def build_network(folder: Path, architecture: Block, **blocks: Any) -> tuple[Any, MultiTaskNetwork, Any]:
    return toy_network(toy_config(folder, architecture=architecture, **MANY, **NO_DROPOUT, **blocks))


def separate_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build one head module per task from now on."""
    monkeypatch.setattr(task_groups, "MIN_STACKED_TASKS", N_TASKS + 1)


def name_weights(prepared: Any, network: MultiTaskNetwork) -> dict[str, torch.Tensor]:
    return collect_named_weights(network, [[task.name for task in group.tasks] for group in prepared.groups])


def compute_step(prepared: Any, network: MultiTaskNetwork, objective: Any) -> dict[str, torch.Tensor]:
    """Return the weights after two steps with a batch in which some tasks have no label."""
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    gradients = StepGradients(Accelerator(), network, objective.group_sizes)
    for start in (0, 12):
        batch = prepared.examples.build_batch(prepared.split.train[start : start + 12], CPU)
        batch.targets[0][:, 0] = -1  # the first task
        network.trunk.on_step_start(1, 2)
        torch.manual_seed(0)
        training_step(gradients, network, objective, optimizer, batch, 1.0)
    return name_weights(prepared, network)


@pytest.mark.parametrize("name", ALL)
def test_one_head_module_computes_the_same_as_one_per_task(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacked = build_network(tmp_path, ALL[name])
    assert [len(group.tasks) for group in stacked[0].groups] == [N_TASKS]
    separate_groups(monkeypatch)
    separate = build_network(tmp_path, ALL[name])
    assert [len(group.tasks) for group in separate[0].groups] == [1] * N_TASKS
    before = name_weights(stacked[0], stacked[1])
    assert tensor_bits(before) == tensor_bits(name_weights(separate[0], separate[1]))
    initial = {key: value.clone() for key, value in before.items()}
    after, expected = compute_step(*stacked), compute_step(*separate)
    for key, value in after.items():
        assert torch.allclose(value, expected[key], rtol=1e-4, atol=1e-5), key
    assert any((after[key] != value).any() for key, value in initial.items() if "t1" in key)
    unchanged = [key for key in initial if key.startswith("heads.t0.") or key.endswith(".task-t0")]
    assert unchanged
    stacked_names = {
        f"trunk.{key}"
        for key, parameter in stacked[1].trunk.named_parameters()
        if id(parameter) in {id(one) for one in stacked[1].trunk.stacked_parameters()}
    }
    for key in unchanged:
        if key.startswith("heads.") or key.rpartition(".")[0] in stacked_names:
            assert torch.equal(after[key], initial[key]), key


@pytest.mark.parametrize("name", ["mmoe", "cgc", "soft-sharing"])
def test_groups_of_interleaved_tasks_read_the_features_of_their_tasks(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = ["linear", {"type": "linear", "dropout": 0.1}]
    tasks = [task_block(heads[task % 2], name=f"t{task}") for task in range(2 * MIN_STACKED_TASKS)]
    tasks += [task_block({"type": "toy-grouped"}, name="t18")]
    blocks: Block = {"data": {"type": "toy", "tasks": 19}, "architecture": ALL[name], "tasks": tasks}
    predictions = []
    for sizes in ([MIN_STACKED_TASKS, MIN_STACKED_TASKS, 1], [1] * 19):
        prepared, network, _ = toy_network(toy_config(tmp_path, **blocks))
        assert [len(group.tasks) for group in prepared.groups] == sizes
        for weight_name, weight in name_weights(prepared, network).items():  # equal names have equal weights
            seed = zlib.crc32(weight_name.encode())
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)).view_as(weight) / 4)
        with torch.no_grad():
            outputs = network.eval()(prepared.examples.build_batch(prepared.split.train, CPU).inputs)
        predictions.append(
            {
                task.name: output.outputs[:, column]
                for group, output in zip(prepared.groups, outputs, strict=True)
                for column, task in enumerate(group.tasks)
            }
        )
        monkeypatch.setattr(task_groups, "MIN_STACKED_TASKS", 20)
    for task_name, values in predictions[0].items():
        torch.testing.assert_close(values, predictions[1][task_name], rtol=1e-4, atol=1e-4)


def list_separate_gradients(
    values: torch.Tensor, parameters: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    rows = [
        torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        for value in values
    ]
    return torch.stack([torch.cat([gradient.flatten() for gradient in row]) for row in rows]), [
        torch.stack(gradients).sum(dim=0) for gradients in zip(*rows, strict=True)
    ]


@pytest.mark.parametrize("name", ALL)
def test_gradients_per_task_equal_those_of_single_losses(tmp_path: Path, name: str) -> None:
    """Weightings that combine gradients receive the Jacobian of shared parameters, one row per task."""
    prepared, network, objective = build_network(tmp_path, ALL[name])
    gradients = StepGradients(Accelerator(), network, objective.group_sizes)
    network.trunk.on_step_start(1, 2)
    losses = compute_losses(network, objective, prepared.examples.build_batch(prepared.split.train, CPU))
    assert len(losses.values) == N_TASKS
    stacked = {id(parameter) for parameter in network.trunk.stacked_parameters()}
    assert not stacked & {id(parameter) for parameter in gradients.shared}
    assert stacked <= {id(parameter) for parameter in gradients.task_specific}
    jacobian = torch.empty(N_TASKS, 0)
    if gradients.shared:
        jacobian, _ = list_separate_gradients(losses.values, gradients.shared)
    _, sums = list_separate_gradients(losses.values, gradients.task_specific)
    torch.testing.assert_close(gradients.backward_each(losses.values, losses.tasks), jacobian, rtol=1e-4, atol=1e-6)
    for parameter, expected in zip(gradients.task_specific, sums, strict=True):
        actual = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)
    assert bool(jacobian.numel()) == (name != "soft-sharing")


@pytest.mark.parametrize("name", LEARNED)
def test_pcgrad_trains_and_differs_from_the_sum(tmp_path: Path, name: str) -> None:
    weights = []
    for weighting in ("sum", "pcgrad"):
        prepared, network, objective = build_network(tmp_path, LEARNED[name], weighting=weighting)
        weights.append(compute_step(prepared, network, objective))
    assert all(torch.isfinite(value).all() for value in weights[1].values())
    shared = [key for key in weights[0] if key.startswith("trunk.") and "task-" not in key]
    assert any((weights[0][key] != weights[1][key]).any() for key in shared)


def test_initial_weights_of_a_task_do_not_depend_on_the_number_of_tasks(tmp_path: Path) -> None:
    many, one = (
        build_network(tmp_path, ALL["mmoe"]),
        toy_network(
            toy_config(
                tmp_path, architecture=ALL["mmoe"], data={"type": "toy", "tasks": 3, "reverse": True}, **NO_DROPOUT
            )
        ),
    )
    weights, expected = name_weights(many[0], many[1]), name_weights(one[0], one[1])
    assert not isinstance(many[1].head_groups()[0], SeparateHeads)
    for key in ("heads.t2.weight", "heads.t2.bias"):
        assert torch.equal(weights[key].squeeze(), expected[key].squeeze())
    assert (weights["heads.t1.weight"] != weights["heads.t2.weight"]).any()


def test_saved_run_of_many_tasks_predicts_like_its_network(tmp_path: Path) -> None:
    config = toy_config(
        tmp_path, architecture=ALL["cgc"], data={**MANY["data"], "test_rows": 10}, training={"epochs": 1}
    )
    run_experiment(config, tmp_path / "run")
    saved = load_run(tmp_path / "run")
    assert [len(group.tasks) for group in saved.groups] == [N_TASKS]
    prepared, network, _ = toy_network(config)
    network.load_state_dict(saved.network.state_dict())
    batch = prepared.examples.build_batch(np.arange(10), CPU)
    with torch.no_grad():
        [output], [expected] = saved.network.eval()(batch.inputs), network.eval()(batch.inputs)
    assert output.outputs.shape == (10, N_TASKS, len(CLASSES))
    assert torch.equal(output.outputs, expected.outputs)


def test_stacked_weights_are_loaded_by_task_name(tmp_path: Path) -> None:
    """The tasks of the new network have another order than those of the run."""
    config = toy_config(tmp_path, architecture=ALL["mmoe"], **MANY, training={"epochs": 1})
    run_experiment(config, tmp_path / "run")
    init_from = {"run": str(tmp_path / "run"), "weights": ["trunk.gates.*"]}
    data = {**MANY["data"], "reverse": True}
    other = toy_config(tmp_path, architecture=ALL["mmoe"], data=data, init_from=init_from, training={"epochs": 1})
    from mtl_core.runs.warm_start import initialize_from_run

    prepared, network, _ = toy_network(other)
    assert other.init_from is not None
    report = initialize_from_run(other.init_from, network, prepared.groups, prepared.encoder)
    assert len(report.loaded) == 2 * N_TASKS
    saved = load_run(tmp_path / "run").network.state_dict()["trunk.gates.weight"]
    names = [task.name for group in prepared.groups for task in group.tasks]
    assert names == [f"t{task}" for task in reversed(range(N_TASKS))]
    assert torch.equal(network.state_dict()["trunk.gates.weight"], saved.flip(0))
    assert saved.any()


def test_regularization_of_unlabelled_tasks_does_not_count_for_clipping(tmp_path: Path) -> None:
    """The entropy of the selectors reaches the gates of all tasks; that of a task without labels is no gradient."""
    weights = []
    for shift in (0.0, 0.2):
        prepared, network, objective = build_network(tmp_path, {"type": "dselect-k", "entropy": 10.0})
        gates = network.trunk.get_parameter("gates.bias")
        with torch.no_grad():
            gates[0] += torch.linspace(-shift, shift, gates.shape[1])
        weights.append(compute_step(prepared, network, objective))
    for key, value in weights[0].items():
        assert torch.equal(value, weights[1][key]) == (not key.endswith("bias.task-t0")), key
