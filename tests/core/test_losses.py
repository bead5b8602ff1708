from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812
from toy import task_block, tensor_bits, toy_config, toy_network

from mtl_core.builtins.losses import CrossEntropy
from mtl_core.errors import MtlError
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.history import LossMeter
from mtl_core.training.losses import GroupLoss, LossSums, TaskLosses
from mtl_core.training.step import training_step

JUNK_OUTPUTS = [0.0, 1e30, float("nan"), float("inf"), float("-inf")]
JUNK_TARGETS = [-1, 0, 99, -(2**40)]


class Table:
    """A random batch of outputs, targets, mask and class weights."""

    def __init__(self, batch: int, tasks: int, classes: int, share: float, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        self.outputs = torch.randn(batch, tasks, classes, generator=random)
        self.targets = torch.randint(classes, (batch, tasks), generator=random)
        self.mask = torch.rand(batch, tasks, generator=random) < share
        self.weights = [torch.rand(classes, generator=random) + 0.1 for _ in range(tasks)]

    def spoilt(self, output: float, target: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and targets with other values outside the mask."""
        outputs = self.outputs.masked_fill(~self.mask.unsqueeze(-1), output)
        return outputs.requires_grad_(), self.targets.masked_fill(~self.mask, target)


tables = st.builds(
    Table,
    batch=st.integers(1, 9),
    tasks=st.integers(1, 5),
    classes=st.integers(2, 5),
    share=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    seed=st.integers(0, 2**31),
)


def group_loss(weights: Any) -> GroupLoss:
    return GroupLoss(CrossEntropy().build(), weights)


@settings(max_examples=60, deadline=None)
@given(table=tables, weighted=st.booleans(), junk=st.sampled_from(JUNK_OUTPUTS), code=st.sampled_from(JUNK_TARGETS))
def test_each_task_loss_is_torchs_cross_entropy_over_its_valid_labels(
    table: Table, weighted: bool, junk: float, code: int
) -> None:
    weights = [w if weighted else None for w in table.weights]
    losses = group_loss(weights)(*table.spoilt(junk, code), table.mask)

    assert losses.counts.tolist() == table.mask.sum(dim=0).tolist()
    assert losses.tasks.tolist() == [task for task, count in enumerate(losses.counts.tolist()) if count]
    for value, task in zip(losses.values, losses.tasks.tolist(), strict=True):
        rows = table.mask[:, task]
        wanted = F.cross_entropy(table.outputs[rows, task], table.targets[rows, task], weight=weights[task])
        torch.testing.assert_close(value, wanted, atol=1e-6, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(table=tables, weighted=st.booleans())
def test_a_group_of_tasks_has_the_losses_of_its_tasks_one_by_one(table: Table, weighted: bool) -> None:
    weights = [w if weighted else None for w in table.weights]
    together = group_loss(weights)(table.outputs, table.targets, table.mask)
    alone = LossSums.concatenate(
        [
            group_loss([weights[t]]).sums(table.outputs[:, [t]], table.targets[:, [t]], table.mask[:, [t]])
            for t in range(table.mask.shape[1])
        ]
    ).means()
    assert together.tasks.tolist() == alone.tasks.tolist()
    assert together.counts.tolist() == alone.counts.tolist()
    torch.testing.assert_close(together.values, alone.values, atol=1e-6, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(table=tables, junk=st.sampled_from(JUNK_OUTPUTS), code=st.sampled_from(JUNK_TARGETS))
def test_the_gradient_of_a_masked_output_is_zero_and_the_others_do_not_notice(
    table: Table, junk: float, code: int
) -> None:
    gradients = []
    for fill in (table.spoilt(0.5, 0), table.spoilt(junk, code)):
        group_loss(table.weights)(*fill, table.mask).values.sum().backward()
        gradients.append(fill[0].grad)
    plain, spoilt = gradients
    assert plain is not None
    assert spoilt is not None
    assert torch.equal(plain, spoilt)
    assert not spoilt[~table.mask].any()
    assert bool(table.mask.any()) == bool(plain.any())


def test_weights_of_one_task_do_not_reach_another() -> None:
    table = Table(8, 3, 4, 1.0, seed=0)
    mixed = group_loss([None, table.weights[1], None])(table.outputs, table.targets, table.mask).values
    plain = group_loss([None, None, None])(table.outputs, table.targets, table.mask).values
    assert torch.allclose(mixed[[0, 2]], plain[[0, 2]])
    assert not torch.allclose(mixed[1], plain[1])


def test_a_task_whose_only_labels_weigh_nothing_has_no_loss() -> None:
    outputs, targets = torch.randn(3, 2, 2), torch.tensor([[0, 0], [0, 1], [-1, -1]])
    losses = group_loss([torch.tensor([0.0, 1.0])] * 2)(outputs, targets, targets >= 0)
    assert losses.tasks.tolist() == [1]
    assert losses.counts.tolist() == [0, 2]
    torch.testing.assert_close(losses.values[0], F.cross_entropy(outputs[1, 1:], targets[1, 1:]))


HEADS = {
    "separate": [task_block("linear")],
    "grouped": [task_block("toy-grouped")],
    "both": [task_block("linear", name="t0"), task_block("toy-grouped")],
}


def parameter_gradients(folder: Path, tasks: list[dict[str, Any]], change: Any, weighting: str) -> dict[str, bytes]:
    config = toy_config(folder, tasks=tasks, weighting=weighting, backbone={"type": "mlp", "hidden_dims": [8]})
    prepared, network, objective = toy_network(config)
    batch = prepared.examples.batch(prepared.split.train, torch.device("cpu"))
    before = objective.masks(batch)
    targets = [change(table, mask) for table, mask in zip(batch.targets, before, strict=True)]
    changed = Batch(batch.inputs, targets, batch.weights)
    masks = objective.masks(changed)
    losses = objective.task_losses(network(changed.inputs, masks), changed, masks)
    assert len(losses.values) == 3
    objective.total(losses).backward()  # type: ignore[no-untyped-call]
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert len(gradients) == len(list(network.parameters()))
    assert all(gradient.any() for gradient in gradients.values())
    return tensor_bits(gradients)


@pytest.mark.parametrize("weighting", ["static", "by-labels"])
@pytest.mark.parametrize("heads", HEADS)
def test_a_masked_label_moves_no_parameter_whatever_it_says(tmp_path: Path, heads: str, weighting: str) -> None:
    def as_it_is(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert set(table[~mask].tolist()) == {-1, 3}  # missing and "absent" labels
        return table

    def all_missing(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return table.masked_fill(~mask, -1)

    def all_absent(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return table.masked_fill(~mask, 3)

    def swapped(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.where(mask, table, 2 - table)

    def one_label_moved(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        row = mask[:, 0].nonzero()[0, 0]
        changed = table.clone()
        changed[row, 0] = (changed[row, 0] + 1) % 3
        return changed

    found = parameter_gradients(tmp_path, HEADS[heads], as_it_is, weighting)
    for change in (all_missing, all_absent, swapped):
        assert parameter_gradients(tmp_path, HEADS[heads], change, weighting) == found
    assert parameter_gradients(tmp_path, HEADS[heads], one_label_moved, weighting) != found


@pytest.mark.parametrize("spoil", ["nan", "inf", "-inf"])
def test_a_masked_output_moves_no_parameter_even_if_it_is_not_a_number(tmp_path: Path, spoil: str) -> None:
    def gradients(value: str | None) -> dict[str, bytes]:
        head = {"type": "toy-grouped", "spoil": value}
        return parameter_gradients(tmp_path, [task_block(head)], lambda table, _: table, "static")

    assert gradients(spoil) == gradients(None)


def snapshot(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, bytes]:
    tensors = dict(network.state_dict())
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{index}.{key}": torch.as_tensor(value) for key, value in state.items() if value is not None}
    return tensor_bits(tensors)


@pytest.mark.parametrize("optimizer_block", [{"type": "adamw", "weight_decay": 0.1}, {"type": "sgd"}])
@pytest.mark.parametrize("warm", [False, True], ids=["first step", "after steps"])
@pytest.mark.parametrize("heads", HEADS)
def test_a_batch_without_any_label_moves_nothing(
    tmp_path: Path, heads: str, warm: bool, optimizer_block: dict[str, Any]
) -> None:
    config = toy_config(tmp_path, tasks=HEADS[heads], optimizer=optimizer_block)
    prepared, network, objective = toy_network(config)
    accelerator = Accelerator()
    optimizer = accelerator.prepare(config.optimizer.build(network.parameters()))
    gradients = StepGradients(accelerator, network, objective.sizes)
    batch = prepared.examples.batch(prepared.split.train, accelerator.device)
    for _ in range(3 if warm else 0):
        training_step(gradients, network, objective, optimizer, batch, 1.0)
    before = snapshot(network, optimizer)

    absent = [table.masked_fill(table >= 0, 3) for table in batch.targets]  # all labels that are not missing
    silent = Batch(batch.inputs, absent, batch.weights)
    losses = training_step(gradients, network, objective, optimizer, silent, 1.0)

    assert snapshot(network, optimizer) == before
    assert losses.values.tolist() == []
    assert losses.counts.tolist() == [0, 0, 0]
    meter = LossMeter(objective.names)
    meter.add(losses)
    assert meter.means() == {"t0": None, "t1": None, "t2": None}
    training_step(gradients, network, objective, optimizer, batch, 1.0)
    assert snapshot(network, optimizer) != before


def test_the_mean_of_an_epoch_weighs_each_label_alike() -> None:
    meter = LossMeter(["a", "b"])
    meter.add(TaskLosses(torch.tensor([1.0]), torch.tensor([0]), torch.tensor([3, 0])))
    meter.add(TaskLosses(torch.tensor([5.0, 2.0]), torch.tensor([0, 1]), torch.tensor([1, 2])))
    assert meter.means() == {"a": 2.0, "b": 2.0}


def test_a_loss_that_is_not_finite_is_named(tmp_path: Path) -> None:
    prepared, network, objective = toy_network(toy_config(tmp_path))
    batch = prepared.examples.batch(prepared.split.train, torch.device("cpu"))
    masks = objective.masks(batch)
    with torch.no_grad():
        network.head_groups()[0].task_parameters(1)[0].fill_(float("nan"))
    with pytest.raises(MtlError, match="the loss of task 't1' is not finite"):
        objective.task_losses(network(batch.inputs, masks), batch, masks)
