"""The backward pass of each loss through its own head only yields the gradients of one through all heads."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from toy import task_block, toy_config, toy_network

from mtl_core.model.heads import SeparateHeads
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.step import batch_losses

CASES: dict[str, dict[str, Any]] = {
    "separate": {"tasks": [task_block("linear")]},
    "grouped": {"tasks": [task_block("toy-grouped")]},
    "both": {"tasks": [task_block("linear", name="t1"), task_block("toy-grouped")]},
    "a group of one": {"tasks": [task_block("toy-grouped", name="t1"), task_block("linear")]},
    "every label": {"tasks": [task_block("linear")], "data": {"type": "toy", "labelled": 1.0}},
    "few labels": {"tasks": [task_block("linear")], "data": {"type": "toy", "labelled": 0.2}},
    "mixed experts": {"architecture": {"type": "mmoe", "experts": 2}},
    "task-specific features": {"architecture": {"type": "cross-stitch", "layers": 1}},
    "nothing shared": {"backbone": "identity"},
}


class Passed(torch.autograd.Function):
    """Counts backward passes."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, counter: list[int]) -> torch.Tensor:
        ctx.counter = counter
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor, None]:
        ctx.counter[0] += 1
        return slopes[0], None


class Bench:
    """A network with a batch; all random draws are the same."""

    def __init__(self, folder: Path, blocks: dict[str, Any]) -> None:
        prepared, self.network, self.objective = toy_network(toy_config(folder, **blocks))
        self.network.eval()
        batch = prepared.examples.batch(prepared.split.train[:12], torch.device("cpu"))
        every = "data" in blocks and blocks["data"]["labelled"] == 1.0
        targets = [torch.zeros_like(table) if every else table for table in batch.targets]
        self.batch = replace(batch, targets=targets)
        self.gradients = StepGradients(Accelerator(), self.network, self.objective.sizes)

    def losses(self) -> TaskLosses:
        return batch_losses(self.network, self.objective, self.batch)

    def grads(self) -> dict[str, torch.Tensor]:
        found = {name: p.grad for name, p in self.network.named_parameters() if p.grad is not None}
        self.network.zero_grad()
        return found


@pytest.mark.parametrize("case", CASES)
def test_it_gives_the_same_gradients_by_fewer_passes(tmp_path: Path, case: str) -> None:
    bench = Bench(tmp_path, CASES[case])
    factors = torch.arange(1.0, 4.0)
    found = []
    for known in (False, True):
        losses = bench.losses()
        values = losses.values * factors[losses.tasks]
        looked = bench.gradients.of_each(values, bench.gradients.shared, losses.tasks if known else None)
        rows = bench.gradients.backward_each(values, losses.tasks if known else None)
        torch.testing.assert_close(looked, rows)
        found.append((rows, bench.grads()))
    (expected, grads), (rows, fewer) = found
    torch.testing.assert_close(rows, expected)
    assert bool(expected.any()) == (case != "nothing shared")
    reached = {name for name, grad in grads.items() if bool(grad.any())}
    assert reached <= set(fewer) <= set(grads)
    for name, grad in fewer.items():
        torch.testing.assert_close(grad, grads[name])


def test_separate_heads_are_passed_once_and_what_is_shared_once_a_task(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CASES["separate"])
    [group] = bench.network.head_groups()
    assert isinstance(group, SeparateHeads)
    counters = [[0] for _ in group.heads]
    for head, counter in zip(group.heads.values(), counters, strict=True):
        head.register_forward_hook(lambda _, __, said, counter=counter: Passed.apply(said, counter))
    shared = [0]
    bench.network.body.register_forward_hook(lambda _, __, said: [_counted(said[0], shared)])
    for known, passes in ((False, 3), (True, 1)):
        losses = bench.losses()
        bench.gradients.backward_each(losses.values, losses.tasks if known else None)
        assert counters == [[passes]] * 3
        assert shared == [3]
        for counter in (*counters, shared):
            counter[0] = 0


def _counted(features: Any, counter: list[int]) -> Any:
    return type(features)(Passed.apply(features.values, counter), features.mask)  # type: ignore[no-untyped-call]


def test_losses_of_another_forward_pass_go_the_long_way(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CASES["both"])
    losses = bench.losses()
    expected = bench.gradients.of_each(losses.values, bench.gradients.shared)
    bench.losses()
    found = bench.gradients.backward_each(losses.values, losses.tasks)
    torch.testing.assert_close(found, expected)
    assert all(parameter.grad is not None for parameter in bench.gradients.own)


def test_nobody_listens_to_a_network_for_ever(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CASES["separate"])
    hooks = bench.network._forward_hooks
    assert len(hooks) == 1
    for _ in range(3):
        bench.gradients = StepGradients(Accelerator(), bench.network, bench.objective.sizes)
        bench.losses()
    assert len(hooks) == 1


def test_the_graph_of_a_batch_is_freed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CASES["separate"])
    losses = bench.losses()
    bench.gradients.backward_each(losses.values, losses.tasks)
    with pytest.raises(RuntimeError, match="second time"):
        bench.gradients.of_each(losses.values, bench.gradients.shared)


def test_auxiliary_losses_are_no_business_of_the_main_ones(tmp_path: Path) -> None:
    """A previous backward pass with a retained graph does not change the gradients."""
    bench = Bench(tmp_path, CASES["both"])
    losses = bench.losses()
    expected = bench.gradients.of_each(losses.values[:2], bench.gradients.shared)
    bench.gradients.backward(losses.values[2], keep=True)
    before = bench.grads()
    found = bench.gradients.backward_each(losses.values[:2], losses.tasks[:2])
    torch.testing.assert_close(found, expected)
    assert before
