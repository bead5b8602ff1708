"""The backward pass of each loss through its own head only yields the gradients of one through all heads."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from toy import task_block, toy_config, toy_network

from mtl_core.nn.heads import SeparateHeads
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.step import compute_losses

CASES: dict[str, dict[str, Any]] = {
    "separate": {"tasks": [task_block("toy-linear")]},
    "grouped": {"tasks": [task_block("toy-grouped")]},
    "both": {"tasks": [task_block("toy-linear", name="t1"), task_block("toy-grouped")]},
    "a group of one": {"tasks": [task_block("toy-grouped", name="t1"), task_block("toy-linear")]},
    "every label": {"tasks": [task_block("toy-linear")], "data": {"type": "toy", "labelled": 1.0}},
    "few labels": {"tasks": [task_block("toy-linear")], "data": {"type": "toy", "labelled": 0.2}},
    "mixed experts": {"architecture": {"type": "mmoe", "experts": 2}},
    "task-specific features": {"architecture": {"type": "cross-stitch", "layers": 1}},
    "nothing shared": {"backbone": "identity"},
}


class CountBackward(torch.autograd.Function):
    """Counts backward passes."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, counter: list[int]) -> torch.Tensor:
        ctx.counter = counter
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        ctx.counter[0] += 1
        return grad_outputs[0], None


class BackwardSetup:
    """A network with a batch; all random draws are the same."""

    def __init__(self, folder: Path, blocks: dict[str, Any]) -> None:
        prepared, self.network, self.objective = toy_network(toy_config(folder, **blocks))
        self.network.eval()
        batch = prepared.examples.build_batch(prepared.split.train[:12], torch.device("cpu"))
        is_fully_labelled = "data" in blocks and blocks["data"]["labelled"] == 1.0
        targets = [torch.zeros_like(table) if is_fully_labelled else table for table in batch.targets]
        self.batch = replace(batch, targets=targets)
        self.gradients = StepGradients(Accelerator(), self.network, self.objective.group_sizes)

    def compute_losses(self) -> TaskLosses:
        return compute_losses(self.network, self.objective, self.batch)

    def pop_gradients(self) -> dict[str, torch.Tensor]:
        gradients = {name: p.grad for name, p in self.network.named_parameters() if p.grad is not None}
        self.network.zero_grad()
        return gradients


@pytest.mark.parametrize("case", CASES)
def test_head_backward_yields_the_same_gradients(tmp_path: Path, case: str) -> None:
    setup = BackwardSetup(tmp_path, CASES[case])
    factors = torch.arange(1.0, 4.0)
    results = []
    for with_tasks in (False, True):
        losses = setup.compute_losses()
        values = losses.values * factors[losses.tasks]
        jacobian = setup.gradients.jacobian(values, setup.gradients.shared, losses.tasks if with_tasks else None)
        jacobian_rows = setup.gradients.backward_each(values, losses.tasks if with_tasks else None)
        torch.testing.assert_close(jacobian, jacobian_rows)
        results.append((jacobian_rows, setup.pop_gradients()))
    (expected, grads), (jacobian_rows, head_gradients) = results
    torch.testing.assert_close(jacobian_rows, expected)
    assert bool(expected.any()) == (case != "nothing shared")
    nonzero_names = {name for name, grad in grads.items() if bool(grad.any())}
    assert nonzero_names <= set(head_gradients) <= set(grads)
    for name, grad in head_gradients.items():
        torch.testing.assert_close(grad, grads[name])


def test_backward_passes_per_head_and_of_the_trunk(tmp_path: Path) -> None:
    setup = BackwardSetup(tmp_path, CASES["separate"])
    [group] = setup.network.head_groups()
    assert isinstance(group, SeparateHeads)
    counters = [[0] for _ in group.heads]
    for head, counter in zip(group.heads.values(), counters, strict=True):
        head.register_forward_hook(
            lambda _, __, outputs, counter=counter: CountBackward.apply(outputs, counter)  # type: ignore[no-untyped-call]
        )
    trunk_counter = [0]
    setup.network.trunk.register_forward_hook(lambda _, __, outputs: [_count_backward(outputs[0], trunk_counter)])
    for with_tasks, n_passes in ((False, 3), (True, 1)):
        losses = setup.compute_losses()
        setup.gradients.backward_each(losses.values, losses.tasks if with_tasks else None)
        assert counters == [[n_passes]] * 3
        assert trunk_counter == [3]
        for counter in (*counters, trunk_counter):
            counter[0] = 0


def _count_backward(features: Any, counter: list[int]) -> Any:
    return type(features)(CountBackward.apply(features.values, counter), features.mask)  # type: ignore[no-untyped-call]


def test_losses_of_an_earlier_forward_pass_use_the_full_backward(tmp_path: Path) -> None:
    setup = BackwardSetup(tmp_path, CASES["both"])
    losses = setup.compute_losses()
    expected = setup.gradients.jacobian(losses.values, setup.gradients.shared)
    setup.compute_losses()
    jacobian = setup.gradients.backward_each(losses.values, losses.tasks)
    torch.testing.assert_close(jacobian, expected)
    assert all(parameter.grad is not None for parameter in setup.gradients.task_specific)


def test_forward_hooks_do_not_accumulate(tmp_path: Path) -> None:
    setup = BackwardSetup(tmp_path, CASES["separate"])
    hooks = setup.network._forward_hooks
    assert len(hooks) == 1
    for _ in range(3):
        setup.gradients = StepGradients(Accelerator(), setup.network, setup.objective.group_sizes)
        setup.compute_losses()
    assert len(hooks) == 1


def test_graph_of_a_batch_is_freed(tmp_path: Path) -> None:
    setup = BackwardSetup(tmp_path, CASES["separate"])
    losses = setup.compute_losses()
    setup.gradients.backward_each(losses.values, losses.tasks)
    with pytest.raises(RuntimeError, match="second time"):
        setup.gradients.jacobian(losses.values, setup.gradients.shared)


def test_earlier_backward_of_auxiliary_losses_has_no_effect(tmp_path: Path) -> None:
    """A previous backward pass with a retained graph does not change the gradients."""
    setup = BackwardSetup(tmp_path, CASES["both"])
    losses = setup.compute_losses()
    expected = setup.gradients.jacobian(losses.values[:2], setup.gradients.shared)
    setup.gradients.backward(losses.values[2], retain_graph=True)
    auxiliary_gradients = setup.pop_gradients()
    jacobian = setup.gradients.backward_each(losses.values[:2], losses.tasks[:2])
    torch.testing.assert_close(jacobian, expected)
    assert auxiliary_gradients
