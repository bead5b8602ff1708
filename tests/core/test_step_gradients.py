"""Gradients per task, and their sums over ranks, with a second rank whose tensors are chosen by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from toy import task_block, toy_config, toy_network

from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.gradients import StepGradients, find_last_shared_layer, find_shared_parameters
from mtl_core.training.task_gradients import accumulate_grad

CPU = torch.device("cpu")


@dataclass(frozen=True)
class FirstRank(DistributedContext):
    """The first of two ranks; the functions return the tensors of the other one, one per sum."""

    world_size: int = 2
    other: list[Callable[[torch.Tensor], torch.Tensor]] = field(default_factory=list)

    def all_reduce(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.detach() + self.other.pop(0)(tensor)


def compute_jacobian(run: SampleRun, values: torch.Tensor) -> torch.Tensor:
    rows = [torch.autograd.grad(value, run.gradients.shared, retain_graph=True) for value in values]
    return torch.stack([torch.cat([gradient.flatten() for gradient in row]) for row in rows])


def get_grads(parameters: Sequence[torch.Tensor]) -> list[torch.Tensor | None]:
    return [None if parameter.grad is None else parameter.grad.clone() for parameter in parameters]


@pytest.mark.parametrize("active", [(0, 1, 2, 3), (1, 3), (2,)])
@pytest.mark.parametrize("with_tasks", [True, False])
def test_jacobian_has_one_row_per_loss_and_changes_no_grad(active: tuple[int, ...], with_tasks: bool) -> None:
    run = SampleRun(WeightedSum())
    losses = run.compute_losses(active)
    expected = compute_jacobian(run, losses.values)
    tasks = losses.tasks if with_tasks else None
    for _ in range(2):  # the graph is kept
        torch.testing.assert_close(run.gradients.jacobian(losses.values, run.gradients.shared, tasks), expected)
    last_layer = run.gradients.jacobian(losses.values, run.gradients.last_shared_layer, tasks)
    torch.testing.assert_close(last_layer, expected[:, -last_layer.shape[1] :])
    assert get_grads([*run.gradients.shared, *run.gradients.task_specific]) == [None] * len(
        list(run.network.parameters())
    )


def test_jacobian_of_parameters_without_influence_is_0() -> None:
    run = SampleRun(WeightedSum())
    losses = run.compute_losses((0, 1))
    parameters = run.gradients.task_specific
    n_numbers = [parameter.numel() for parameter in parameters]
    rows = run.gradients.jacobian(losses.values, parameters)
    for row, loss in zip(rows, losses.values, strict=True):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        for chunk, gradient in zip(torch.split(row, n_numbers), gradients, strict=True):
            torch.testing.assert_close(chunk, torch.zeros_like(chunk) if gradient is None else gradient.flatten())


@pytest.mark.parametrize("with_tasks", [True, False])
def test_backward_each_adds_task_gradients_and_returns_the_shared_jacobian(with_tasks: bool) -> None:
    run = SampleRun(WeightedSum())
    losses = run.compute_losses((0, 2, 3))
    expected = compute_jacobian(run, losses.values)
    task_specific = run.gradients.task_specific
    task_gradients = torch.autograd.grad(losses.values.sum(), task_specific, retain_graph=True, allow_unused=True)
    run.gradients.loss_weights = losses.values
    rows = run.gradients.backward_each(losses.values, losses.tasks if with_tasks else None)
    torch.testing.assert_close(rows, expected)
    assert get_grads(run.gradients.shared) == [None] * len(run.gradients.shared)
    for grad, gradient in zip(get_grads(task_specific), task_gradients, strict=True):
        torch.testing.assert_close(
            torch.zeros(1) if grad is None else grad, torch.zeros(1) if gradient is None else gradient
        )
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(losses.values.sum(), task_specific, allow_unused=True)


def test_accumulated_shared_gradient_is_added_in_the_order_of_the_parameters() -> None:
    run = SampleRun(WeightedSum())
    n_numbers = sum(parameter.numel() for parameter in run.gradients.shared)
    gradient = torch.arange(n_numbers, dtype=torch.float32)
    for factor in (1, 3):
        run.gradients.accumulate_shared_grad(gradient if factor == 1 else 2 * gradient)
        flat = torch.cat([grad.flatten() for grad in get_grads(run.gradients.shared) if grad is not None])
        torch.testing.assert_close(flat, factor * gradient)
    assert [p.shape for p in run.gradients.shared] == [p.grad.shape for p in run.gradients.shared if p.grad is not None]
    run.gradients.distributed = FirstRank()
    run.gradients.accumulate_shared_grad(4 * gradient)  # half per rank, since `reduce` adds those of both
    flat = torch.cat([grad.flatten() for grad in get_grads(run.gradients.shared) if grad is not None])
    torch.testing.assert_close(flat, (3 + 2) * gradient)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # before the backward pass
def test_weights_of_losses_are_recorded() -> None:
    run = SampleRun(WeightedSum())
    run.gradients.set_loss_weights(torch.ones(2))  # nothing to record yet
    losses = run.compute_losses()
    run.gradients.loss_weights = losses.values
    run.gradients.set_loss_weights(torch.ones(2))
    assert losses.values.grad is None
    run.gradients.backward((losses.values * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum(), retain_graph=True)
    assert losses.values.grad is not None
    assert losses.values.grad.tolist() == [1, 2, 3, 4]
    run.gradients.set_loss_weights(torch.tensor([0.5, 0.25]))
    assert losses.values.grad.tolist() == [0.5, 0.25, 3, 4]


def test_backward_keeps_or_frees_the_graph_and_ignores_constants() -> None:
    run = SampleRun(WeightedSum())
    losses = run.compute_losses()
    run.gradients.backward(torch.tensor(1.0), retain_graph=True)
    assert run.network.trunk is not None
    assert not any(parameter.grad is not None for parameter in run.network.parameters())
    run.gradients.backward(losses.values.sum(), retain_graph=True)
    first = [grad for grad in get_grads(run.gradients.shared) if grad is not None]
    run.gradients.backward(losses.values.sum())
    for grad, expected in zip(get_grads(run.gradients.shared), first, strict=True):
        assert grad is not None
        torch.testing.assert_close(grad, 2 * expected)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        run.gradients.backward(losses.values.sum())


def test_losses_that_do_not_come_from_the_last_forward_pass() -> None:
    """Before the first forward pass, and after each backward pass, no outputs of heads are recorded."""
    run = SampleRun(WeightedSum())
    [first, *_] = run.gradients.shared
    tasks = torch.tensor([0])

    def check() -> None:
        row = run.gradients.jacobian(first.square().sum().unsqueeze(0), [first], tasks)
        torch.testing.assert_close(row[0], 2 * first.detach().flatten())

    check()
    run.gradients.backward(run.compute_losses().values.sum())
    check()
    losses = run.compute_losses()
    run.gradients.backward_each(losses.values, losses.tasks)
    check()


def test_constant_losses_have_a_jacobian_of_0() -> None:
    run = SampleRun(WeightedSum())
    losses = run.compute_losses()
    rows = run.gradients.jacobian(losses.values.detach(), run.gradients.shared, losses.tasks)
    assert rows.shape[0] == 4
    assert not bool(rows.any())


# ── sums over ranks ──


def test_one_process_has_nothing_to_reduce() -> None:
    run = SampleRun(WeightedSum())
    run.gradients.backward(run.compute_losses((0,)).values.sum())
    before = get_grads(list(run.network.parameters()))
    run.gradients.reduce()
    for grad, expected in zip(get_grads(list(run.network.parameters())), before, strict=True):
        assert (grad is None) == (expected is None)
        assert grad is None or expected is None or torch.equal(grad, expected)


def test_gradients_are_summed_over_ranks() -> None:
    """Parameters that no rank has a gradient of keep none; those that only the other rank has get its gradient."""
    run = SampleRun(WeightedSum())
    parameters = [*run.gradients.shared, *run.gradients.task_specific]
    for index, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, float(index)) if index % 3 == 0 else None
    has_grad = torch.tensor([float(index % 3 != 2) for index in range(len(parameters))])  # on the other rank

    run.gradients.distributed = FirstRank(other=[lambda _: has_grad, lambda flat: torch.full_like(flat, 0.5)])
    run.gradients.reduce()
    for index, parameter in enumerate(parameters):
        if index % 3 == 2:
            assert parameter.grad is None
        else:
            expected = torch.full_like(parameter, 0.5 + (index if index % 3 == 0 else 0))
            assert parameter.grad is not None
            torch.testing.assert_close(parameter.grad, expected)
            assert parameter.grad.shape == parameter.shape


def test_gradients_of_different_parameters_do_not_share_memory_after_the_reduction() -> None:
    run = SampleRun(WeightedSum())
    parameters = run.gradients.shared
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    run.gradients.distributed = FirstRank(other=[torch.zeros_like, torch.zeros_like])
    run.gradients.reduce()
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    assert len({grad.untyped_storage().data_ptr() for grad in grads}) == len(parameters)


def test_no_gradients_on_any_rank() -> None:
    run = SampleRun(WeightedSum())
    run.gradients.distributed = FirstRank(other=[torch.zeros_like])  # a second sum would fail
    run.gradients.reduce()
    assert not any(parameter.grad is not None for parameter in run.network.parameters())


@pytest.mark.parametrize("adds_task_gradients", [True, False])
def test_jacobian_rows_are_summed_over_ranks(adds_task_gradients: bool) -> None:
    run = SampleRun(WeightedSum())
    losses = run.compute_losses()
    expected = compute_jacobian(run, losses.values)
    run.gradients.distributed = FirstRank(other=[torch.ones_like])
    rows = (
        run.gradients.backward_each(losses.values, losses.tasks)
        if adds_task_gradients
        else run.gradients.jacobian(losses.values, run.gradients.shared, losses.tasks)
    )
    torch.testing.assert_close(rows, expected + 1)


# ── shared parameters ──


def describe(network: Any, parameters: Sequence[torch.Tensor]) -> list[str]:
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return [names[id(parameter)] for parameter in parameters]


def test_shared_and_task_specific_parameters(tmp_path: Path) -> None:
    """Heads and rows that are stacked by task are task-specific, the trunk and a shared layer of a group are not."""
    tasks = [task_block("toy-grouped", name="t0"), task_block("toy-grouped", name="t1"), task_block(name="t2")]
    config = toy_config(tmp_path, tasks=tasks, backbone={"type": "mlp", "hidden_dims": [8, 4]})
    _, network, objective = toy_network(config)
    shared = find_shared_parameters(network, objective.group_sizes)
    names = describe(network, shared)
    assert [name for name in names if not name.startswith("trunk.")] == [
        "groups.0.shared.weight",
        "groups.0.shared.bias",
    ]
    assert sum(name.startswith("trunk.") for name in names) == 4
    last = describe(network, find_last_shared_layer(network, shared))
    assert [name.rsplit(".", 1)[1] for name in last] == ["weight", "bias"]
    assert all(name.startswith("trunk.") for name in last)
    assert last == [name for name in names if name.startswith("trunk.")][2:]
    gradients = StepGradients(Accelerator(cpu=True), network, objective.group_sizes)
    assert describe(network, gradients.shared) == names
    assert sorted(describe(network, gradients.task_specific) + names) == sorted(
        name for name, _ in network.named_parameters()
    )


def test_parameters_that_are_not_trained_are_neither(tmp_path: Path) -> None:
    _, network, objective = toy_network(toy_config(tmp_path))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    gradients = StepGradients(Accelerator(cpu=True), network, objective.group_sizes)
    assert gradients.shared == gradients.task_specific == gradients.last_shared_layer == []


def test_last_shared_layer_without_a_shared_trunk_is_in_the_heads(tmp_path: Path) -> None:
    tasks = [task_block("toy-grouped", name=name) for name in ("t0", "t1", "t2")]
    _, network, objective = toy_network(toy_config(tmp_path, tasks=tasks))
    for parameter in network.trunk.parameters():
        parameter.requires_grad_(False)
    shared = find_shared_parameters(network, objective.group_sizes)
    assert describe(network, find_last_shared_layer(network, shared)) == [
        "groups.0.shared.weight",
        "groups.0.shared.bias",
    ]


def test_transposed_gradients_get_the_layout_of_the_parameter() -> None:
    weights, gradient = torch.randn(4, 6), torch.randn(6, 4).T
    steps = []
    for fused in (False, True):
        parameter = torch.nn.Parameter(weights.clone())
        accumulate_grad(parameter, gradient)
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient)
        torch.optim.Adam([parameter], lr=0.1, fused=fused).step()
        steps.append(parameter.detach())
    torch.testing.assert_close(steps[0], steps[1])
