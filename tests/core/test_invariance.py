"""A masked label, more padding or another order of the batch changes no other output by more than 1e-6.

One network has tasks of all kinds, on two data sets with label weights; batches mix both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from token_parts import TASKS, blocks, tasks
from toy import toy_config, toy_network

from mtl_core.evaluation.outputs import run_network
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.prepare import Prepared
from mtl_core.training.batches import Batch
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective

CPU = torch.device("cpu")
Place = tuple[int, int]
"""Index of a head group, and of a task in it."""


class World:
    """A network with every kind of task, some twice, and its outputs for batches."""

    def __init__(self, folder: Path) -> None:
        first = {"type": "sentences", "rows": 50, "test_rows": 0, "columns": ["wet", "drink", "tags", "two"]}
        second = {"type": "sentences", "rows": 50, "test_rows": 0, "seed": 5, "weighted": True}
        twins = [
            {"name": f"{name}-too", "label": name, "data": ["second"], **TASKS[name]}
            for name in ("drink", "tags", "price", "costs", "colours")
        ]
        config = toy_config(
            folder,
            **blocks(data=None, data_sets={"first": first, "second": second}, tasks=[*tasks(), *twins]),
        )
        self.prepared: Prepared
        self.network: MultiTaskNetwork
        self.objective: Objective
        self.prepared, self.network, self.objective = toy_network(config)
        assert any(len(group.tasks) > 1 for group in self.prepared.groups)
        self.lengths = self.prepared.examples.lengths

    @property
    def places(self) -> list[Place]:
        """Index of every task, in the order of the losses."""
        groups = self.prepared.groups
        return [(group, task) for group in range(len(groups)) for task in range(len(groups[group].tasks))]

    def batch(self, rows: Sequence[int]) -> Batch:
        return self.prepared.examples.batch(np.array(rows), CPU)

    def said(self, batch: Batch) -> tuple[list[Any], list[torch.Tensor], TaskLosses]:
        """Compute outputs, masks and losses; only labelled examples and tokens are computed, as in training."""
        masks = self.objective.masks(batch)
        wanted = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
        outputs = self.network(batch.inputs, wanted, batch.hidden)
        return outputs, masks, self.objective.task_losses(outputs, batch, masks)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def near(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def by_task(losses: TaskLosses) -> dict[int, torch.Tensor]:
    return dict(zip(losses.tasks.tolist(), losses.values, strict=True))


def without(batch: Batch, gone: Sequence[torch.Tensor]) -> Batch:
    """Return the same batch with some labels missing."""
    targets = []
    for table, mask in zip(batch.targets, gone, strict=True):
        spread = mask.reshape(*mask.shape, *[1] * (table.ndim - mask.ndim))
        targets.append(table.masked_fill(spread, float("nan") if table.is_floating_point() else -1))
    return Batch(batch.inputs, targets, batch.weights, batch.hidden)


rows = st.lists(st.integers(0, 99), min_size=1, max_size=8, unique=True)
seeds = st.integers(0, 2**31)
shares = st.sampled_from([0.05, 0.3, 0.8, 1.0])


@settings(max_examples=25, deadline=None)
@given(rows=rows, seed=seeds, share=shares, everywhere=st.booleans())
def test_a_masked_label_changes_nothing_but_its_own_loss(
    world: World, rows: list[int], seed: int, share: float, everywhere: bool
) -> None:
    random = torch.Generator().manual_seed(seed)
    batch = world.batch(rows)
    outputs, masks, losses = world.said(batch)
    gone = [torch.rand(mask.shape, generator=random) < share for mask in masks]
    if not everywhere:  # labels of one task only
        chosen = world.places[seed % len(world.places)]
        for group, mask in enumerate(gone):
            keep = [task for task in range(mask.shape[1]) if (group, task) != chosen]
            mask[:, keep] = False
    again, left, fewer = world.said(without(batch, gone))

    before, after = by_task(losses), by_task(fewer)
    for number, (group, task) in enumerate(world.places):
        lost = masks[group][:, task] & gone[group][:, task]
        assert torch.equal(left[group][:, task], masks[group][:, task] & ~gone[group][:, task])
        if left[group][:, task].any():
            near(
                again[group].outputs[:, task][left[group][:, task]],
                outputs[group].outputs[:, task][left[group][:, task]],
            )
        if not lost.any():
            assert (number in after) == (number in before)
            assert number not in after or abs((after[number] - before[number]).item()) <= 1e-6
            assert fewer.counts[number] == losses.counts[number]
        else:
            assert (number in after) == bool(left[group][:, task].any())


@settings(max_examples=15, deadline=None)
@given(rows=rows, seed=seeds, share=shares)
def test_a_masked_label_changes_no_gradient_of_another_task(
    world: World, rows: list[int], seed: int, share: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    batch = world.batch(rows)
    silent = int(torch.randint(len(world.places), (1,), generator=random))
    group, task = world.places[silent]
    gone = [torch.zeros_like(mask) for mask in world.objective.masks(batch)]
    gone[group][:, task] = torch.rand(gone[group][:, task].shape, generator=random) < share
    gradients = []
    for one in (batch, without(batch, gone)):
        losses = by_task(world.said(one)[2])
        others = [value for number, value in losses.items() if number != silent]
        if not others:
            return
        world.network.zero_grad()
        torch.stack(others).sum().backward()
        parameters = world.network.parameters()
        gradients.append([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])
    for before, after in zip(*gradients, strict=True):
        torch.testing.assert_close(after, before, atol=2e-6, rtol=1e-5)
    assert any(gradient.any() for gradient in gradients[0])


@settings(max_examples=25, deadline=None)
@given(rows=rows)
def test_more_padding_changes_nothing(world: World, rows: list[int]) -> None:
    """The longest example of all is added to the batch without its labels."""
    long = int(np.argmax(world.lengths))
    rows = [row for row in rows if row != long]
    if not rows:
        return
    outputs, masks, losses = world.said(world.batch(rows))
    batch = world.batch([*rows, long])
    gone = [torch.zeros_like(mask) for mask in world.objective.masks(batch)]
    for mask in gone:
        mask[len(rows) :] = True
    padded, wide, same = world.said(without(batch, gone))
    for group, (mask, before) in enumerate(zip(masks, outputs, strict=True)):
        shape = tuple(slice(None, size) for size in mask.shape)
        assert torch.equal(wide[group][shape], mask)
        assert wide[group].sum() == mask.sum()
        if mask.any():
            near(padded[group].outputs[shape][mask], before.outputs[mask])
    assert same.counts.tolist() == losses.counts.tolist()
    near(same.values, losses.values)


@settings(max_examples=25, deadline=None)
@given(rows=rows, seed=seeds)
def test_the_order_of_a_batch_changes_nothing(world: World, rows: list[int], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(rows))
    outputs, masks, losses = world.said(world.batch(rows))
    turned, others, same = world.said(world.batch([rows[place] for place in order]))
    for group, mask in enumerate(masks):
        assert torch.equal(others[group], mask[order])
        if mask.any():
            near(turned[group].outputs[others[group]], outputs[group].outputs[order][mask[order]])
    assert same.tasks.tolist() == losses.tasks.tolist()
    near(same.values, losses.values)


def test_what_is_said_of_an_example_does_not_depend_on_its_company(world: World) -> None:
    """As in evaluation and prediction, all outputs are computed, in batches by length."""
    everything = np.arange(100)
    alone: dict[int, list[torch.Tensor]] = {}
    for row in everything.tolist():
        (one,) = run_network(world.network, world.prepared.examples, np.array([row]), CPU)
        alone[row] = [output.outputs[0] for output in one.groups if output is not None]
    for batch in run_network(world.network, world.prepared.examples, everything, CPU):
        for place, row in enumerate(batch.rows.tolist()):
            for group, output in enumerate(batch.groups):
                assert output is not None
                single = alone[row][group]
                token = world.prepared.groups[group].label_dimensions == 3
                near(output.outputs[place][:, : single.shape[1]] if token else output.outputs[place], single)


def test_each_example_has_the_mask_of_its_own_data_set(world: World) -> None:
    corpus, labels = world.prepared.corpus, world.prepared.labels
    masks = world.objective.masks(world.batch(range(100)))
    for group, task in world.places:
        learned = world.prepared.groups[group].tasks[task]
        if learned.declared.kind.reads_inputs:
            continue
        column = labels[learned.name]
        weights = corpus.weights[learned.declared.column]
        for row in range(100):
            found = bool(masks[group][row, task].any())
            label = column[row]
            says = label is not None and (not isinstance(label, list | tuple) or any(m is not None for m in label))
            if learned.declared.kind.type == "multi-label":
                says = label is not None
            if corpus.sources[row] == "first" and learned.name.endswith("-too"):
                assert not found
            elif learned.declared.kind.level == "example":
                assert found == (says and weights[row] > 0), (learned.name, row)
            elif found:
                assert says
                assert weights[row] > 0
