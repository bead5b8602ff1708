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
from token_components import TASKS, build_experiment_blocks, build_task_blocks
from toy import toy_config, toy_network

from mtl_core.data.batches import Batch
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective

CPU = torch.device("cpu")
TaskIndex = tuple[int, int]
"""Index of a head group, and of a task in it."""


class MixedNetwork:
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
            **build_experiment_blocks(
                data=None, data_sets={"first": first, "second": second}, tasks=[*build_task_blocks(), *twins]
            ),
        )
        self.prepared: FittedData
        self.network: MultiTaskNetwork
        self.objective: Objective
        self.prepared, self.network, self.objective = toy_network(config)
        assert any(len(group.tasks) > 1 for group in self.prepared.groups)
        self.lengths = self.prepared.examples.lengths

    @property
    def task_indices(self) -> list[TaskIndex]:
        """Index of every task, in the order of the losses."""
        groups = self.prepared.groups
        return [(group, task) for group in range(len(groups)) for task in range(len(groups[group].tasks))]

    def build_batch(self, rows: Sequence[int]) -> Batch:
        return self.prepared.examples.build_batch(np.array(rows), CPU)

    def compute_losses(self, batch: Batch) -> tuple[list[Any], list[torch.Tensor], TaskLosses]:
        """Compute outputs, masks and losses; only labelled examples and tokens are computed, as in training."""
        masks = self.objective.compute_masks(batch)
        output_masks = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
        outputs = self.network(batch.inputs, output_masks, batch.masked_inputs)
        return outputs, masks, self.objective.compute_task_losses(outputs, batch, masks)


@pytest.fixture(scope="module")
def mixed_network(tmp_path_factory: pytest.TempPathFactory) -> MixedNetwork:
    return MixedNetwork(tmp_path_factory.mktemp("world"))


def assert_near(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-6)


def index_by_task(losses: TaskLosses) -> dict[int, torch.Tensor]:
    return dict(zip(losses.tasks.tolist(), losses.values, strict=True))


def remove_labels(batch: Batch, removed_masks: Sequence[torch.Tensor]) -> Batch:
    """Return the same batch with some labels missing."""
    targets = []
    for table, mask in zip(batch.targets, removed_masks, strict=True):
        spread = mask.reshape(*mask.shape, *[1] * (table.ndim - mask.ndim))
        targets.append(table.masked_fill(spread, float("nan") if table.is_floating_point() else -1))
    return Batch(batch.inputs, targets, batch.weights, batch.masked_inputs)


rows = st.lists(st.integers(0, 99), min_size=1, max_size=8, unique=True)
seeds = st.integers(0, 2**31)
shares = st.sampled_from([0.05, 0.3, 0.8, 1.0])


@settings(max_examples=25, deadline=None)
@given(rows=rows, seed=seeds, share=shares, everywhere=st.booleans())
def test_masked_label_changes_only_the_loss_of_its_task(
    mixed_network: MixedNetwork, rows: list[int], seed: int, share: float, everywhere: bool
) -> None:
    random = torch.Generator().manual_seed(seed)
    batch = mixed_network.build_batch(rows)
    outputs, masks, losses = mixed_network.compute_losses(batch)
    removed_masks = [torch.rand(mask.shape, generator=random) < share for mask in masks]
    if not everywhere:  # labels of one task only
        masked_task = mixed_network.task_indices[seed % len(mixed_network.task_indices)]
        for group, mask in enumerate(removed_masks):
            other_tasks = [task for task in range(mask.shape[1]) if (group, task) != masked_task]
            mask[:, other_tasks] = False
    masked_outputs, remaining_masks, masked_losses = mixed_network.compute_losses(remove_labels(batch, removed_masks))

    before, after = index_by_task(losses), index_by_task(masked_losses)
    for number, (group, task) in enumerate(mixed_network.task_indices):
        is_removed = masks[group][:, task] & removed_masks[group][:, task]
        assert torch.equal(remaining_masks[group][:, task], masks[group][:, task] & ~removed_masks[group][:, task])
        if remaining_masks[group][:, task].any():
            assert_near(
                masked_outputs[group].outputs[:, task][remaining_masks[group][:, task]],
                outputs[group].outputs[:, task][remaining_masks[group][:, task]],
            )
        if not is_removed.any():
            assert (number in after) == (number in before)
            assert number not in after or abs((after[number] - before[number]).item()) <= 1e-6
            assert masked_losses.counts[number] == losses.counts[number]
        else:
            assert (number in after) == bool(remaining_masks[group][:, task].any())


@settings(max_examples=15, deadline=None)
@given(rows=rows, seed=seeds, share=shares)
def test_masked_label_changes_no_gradient_of_another_task(
    mixed_network: MixedNetwork, rows: list[int], seed: int, share: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    batch = mixed_network.build_batch(rows)
    masked_task = int(torch.randint(len(mixed_network.task_indices), (1,), generator=random))
    group, task = mixed_network.task_indices[masked_task]
    removed_masks = [torch.zeros_like(mask) for mask in mixed_network.objective.compute_masks(batch)]
    removed_masks[group][:, task] = torch.rand(removed_masks[group][:, task].shape, generator=random) < share
    gradients = []
    for tested_batch in (batch, remove_labels(batch, removed_masks)):
        losses = index_by_task(mixed_network.compute_losses(tested_batch)[2])
        other_losses = [value for number, value in losses.items() if number != masked_task]
        if not other_losses:
            return
        mixed_network.network.zero_grad()
        torch.stack(other_losses).sum().backward()  # type: ignore[no-untyped-call]
        parameters = mixed_network.network.parameters()
        gradients.append([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])
    for before, after in zip(*gradients, strict=True):
        torch.testing.assert_close(after, before, atol=2e-6, rtol=1e-5)
    assert any(gradient.any() for gradient in gradients[0])


@settings(max_examples=25, deadline=None)
@given(rows=rows)
def test_padding_invariance(mixed_network: MixedNetwork, rows: list[int]) -> None:
    """The longest example of all is added to the batch without its labels."""
    longest_row = int(np.argmax(mixed_network.lengths))
    rows = [row for row in rows if row != longest_row]
    if not rows:
        return
    outputs, masks, losses = mixed_network.compute_losses(mixed_network.build_batch(rows))
    batch = mixed_network.build_batch([*rows, longest_row])
    removed_masks = [torch.zeros_like(mask) for mask in mixed_network.objective.compute_masks(batch)]
    for mask in removed_masks:
        mask[len(rows) :] = True
    padded_outputs, padded_masks, padded_losses = mixed_network.compute_losses(remove_labels(batch, removed_masks))
    for group, (mask, before) in enumerate(zip(masks, outputs, strict=True)):
        shape = tuple(slice(None, size) for size in mask.shape)
        assert torch.equal(padded_masks[group][shape], mask)
        assert padded_masks[group].sum() == mask.sum()
        if mask.any():
            assert_near(padded_outputs[group].outputs[shape][mask], before.outputs[mask])
    assert padded_losses.counts.tolist() == losses.counts.tolist()
    assert_near(padded_losses.values, losses.values)


@settings(max_examples=25, deadline=None)
@given(rows=rows, seed=seeds)
def test_batch_order_invariance(mixed_network: MixedNetwork, rows: list[int], seed: int) -> None:
    permutation = np.random.default_rng(seed).permutation(len(rows))
    outputs, masks, losses = mixed_network.compute_losses(mixed_network.build_batch(rows))
    permuted_outputs, permuted_masks, permuted_losses = mixed_network.compute_losses(
        mixed_network.build_batch([rows[index] for index in permutation])
    )
    for group, mask in enumerate(masks):
        assert torch.equal(permuted_masks[group], mask[permutation])
        if mask.any():
            assert_near(
                permuted_outputs[group].outputs[permuted_masks[group]],
                outputs[group].outputs[permutation][mask[permutation]],
            )
    assert permuted_losses.tasks.tolist() == losses.tasks.tolist()
    assert_near(permuted_losses.values, losses.values)


def test_batch_invariance(mixed_network: MixedNetwork) -> None:
    """As in evaluation and prediction, all outputs are computed, in batches by length."""
    all_rows = np.arange(100)
    single_outputs: dict[int, list[torch.Tensor]] = {}
    for row in all_rows.tolist():
        (single_batch,) = run_network(mixed_network.network, mixed_network.prepared.examples, np.array([row]), CPU)
        single_outputs[row] = [output.outputs[0] for output in single_batch.groups if output is not None]
    for batch in run_network(mixed_network.network, mixed_network.prepared.examples, all_rows, CPU):
        for index, row in enumerate(batch.rows.tolist()):
            for group, output in enumerate(batch.groups):
                assert output is not None
                single = single_outputs[row][group]
                is_token_level = mixed_network.prepared.groups[group].n_mask_dimensions == 3
                assert_near(
                    output.outputs[index][:, : single.shape[1]] if is_token_level else output.outputs[index], single
                )


def test_each_example_has_the_mask_of_its_data_set(mixed_network: MixedNetwork) -> None:
    corpus, labels = mixed_network.prepared.corpus, mixed_network.prepared.labels
    masks = mixed_network.objective.compute_masks(mixed_network.build_batch(range(100)))
    for group, task in mixed_network.task_indices:
        fitted_task = mixed_network.prepared.groups[group].tasks[task]
        if fitted_task.config.kind.reads_inputs:
            continue
        column = labels[fitted_task.name]
        weights = corpus.weights[fitted_task.config.column]
        for row in range(100):
            is_observed = bool(masks[group][row, task].any())
            label = column[row]
            is_labelled = label is not None and (
                not isinstance(label, list | tuple) or any(m is not None for m in label)
            )
            if fitted_task.config.kind.type == "multi-label":
                is_labelled = label is not None
            if corpus.sources[row] == "first" and fitted_task.name.endswith("-too"):
                assert not is_observed
            elif fitted_task.config.kind.level == "example":
                assert is_observed == (is_labelled and weights[row] > 0), (fitted_task.name, row)
            elif is_observed:
                assert is_labelled
                assert weights[row] > 0
