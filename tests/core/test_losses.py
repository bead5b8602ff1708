from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812
from toy import task_block, tensor_bits, toy_config, toy_network

from mtl_core.builtins.losses.cross_entropy import CrossEntropy
from mtl_core.builtins.weightings.modules.stateless import LabelMean
from mtl_core.data.batches import Batch
from mtl_core.errors import MtlError
from mtl_core.training.gradients import StepGradients
from mtl_core.training.loss_meter import LossMeter
from mtl_core.training.losses import GroupLoss, LossSums, TaskLosses
from mtl_core.training.step import training_step

JUNK_OUTPUTS = [0.0, 1e30, float("nan"), float("inf"), float("-inf")]
JUNK_TARGETS = [-1, 0, 99, -(2**40)]


class RandomBatch:
    """A random batch of outputs, targets, mask and class weights."""

    def __init__(self, batch: int, tasks: int, classes: int, share: float, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        self.outputs = torch.randn(batch, tasks, classes, generator=random)
        self.targets = torch.randint(classes, (batch, tasks), generator=random)
        self.mask = torch.rand(batch, tasks, generator=random) < share
        self.weights = [torch.rand(classes, generator=random) + 0.1 for _ in range(tasks)]

    def replace_unmasked(self, output: float, target: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and targets with other values outside the mask."""
        outputs = self.outputs.masked_fill(~self.mask.unsqueeze(-1), output)
        return outputs.requires_grad_(), self.targets.masked_fill(~self.mask, target)


tables = st.builds(
    RandomBatch,
    batch=st.integers(1, 9),
    tasks=st.integers(1, 5),
    classes=st.integers(2, 5),
    share=st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    seed=st.integers(0, 2**31),
)


def build_group_loss(weights: Any) -> GroupLoss:
    return GroupLoss(CrossEntropy().build(), weights)


@settings(max_examples=60, deadline=None)
@given(table=tables, weighted=st.booleans(), junk=st.sampled_from(JUNK_OUTPUTS), code=st.sampled_from(JUNK_TARGETS))
def test_task_loss_equals_torch_cross_entropy_over_valid_labels(
    table: RandomBatch, weighted: bool, junk: float, code: int
) -> None:
    weights = [w if weighted else None for w in table.weights]
    losses = build_group_loss(weights)(*table.replace_unmasked(junk, code), table.mask)

    assert losses.counts.tolist() == table.mask.sum(dim=0).tolist()
    assert losses.tasks.tolist() == [task for task, count in enumerate(losses.counts.tolist()) if count]
    for value, task in zip(losses.values, losses.tasks.tolist(), strict=True):
        rows = table.mask[:, task]
        expected = F.cross_entropy(table.outputs[rows, task], table.targets[rows, task], weight=weights[task])
        torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(table=tables, weighted=st.booleans())
def test_losses_of_a_group_equal_those_of_its_tasks(table: RandomBatch, weighted: bool) -> None:
    weights = [w if weighted else None for w in table.weights]
    group_losses = build_group_loss(weights)(table.outputs, table.targets, table.mask)
    task_losses = LossSums.concatenate(
        [
            build_group_loss([weights[t]]).compute_sums(
                table.outputs[:, [t]], table.targets[:, [t]], table.mask[:, [t]]
            )
            for t in range(table.mask.shape[1])
        ]
    ).compute_means()
    assert group_losses.tasks.tolist() == task_losses.tasks.tolist()
    assert group_losses.counts.tolist() == task_losses.counts.tolist()
    torch.testing.assert_close(group_losses.values, task_losses.values, atol=1e-6, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(table=tables, junk=st.sampled_from(JUNK_OUTPUTS), code=st.sampled_from(JUNK_TARGETS))
def test_masked_output_has_no_gradient_and_no_effect(table: RandomBatch, junk: float, code: int) -> None:
    gradients = []
    for filled_batch in (table.replace_unmasked(0.5, 0), table.replace_unmasked(junk, code)):
        build_group_loss(table.weights)(*filled_batch, table.mask).values.sum().backward()
        gradients.append(filled_batch[0].grad)
    expected_gradient, gradient = gradients
    assert expected_gradient is not None
    assert gradient is not None
    assert torch.equal(expected_gradient, gradient)
    assert not gradient[~table.mask].any()
    assert bool(table.mask.any()) == bool(expected_gradient.any())


def test_class_weights_of_one_task_have_no_effect_on_another() -> None:
    table = RandomBatch(8, 3, 4, 1.0, seed=0)
    mixed = build_group_loss([None, table.weights[1], None])(table.outputs, table.targets, table.mask).values
    plain = build_group_loss([None, None, None])(table.outputs, table.targets, table.mask).values
    assert torch.allclose(mixed[[0, 2]], plain[[0, 2]])
    assert not torch.allclose(mixed[1], plain[1])


def test_task_with_zero_class_weights_only_has_no_loss() -> None:
    outputs, targets = torch.randn(3, 2, 2), torch.tensor([[0, 0], [0, 1], [-1, -1]])
    losses = build_group_loss([torch.tensor([0.0, 1.0])] * 2)(outputs, targets, targets >= 0)
    assert losses.tasks.tolist() == [1]
    assert losses.counts.tolist() == [0, 2]
    torch.testing.assert_close(losses.values[0], F.cross_entropy(outputs[1, 1:], targets[1, 1:]))


def test_tokens_are_the_labels_of_a_token_task() -> None:
    """The mean of an epoch, and the mean over the labels of a batch, weight a token task by its tokens."""
    generator = torch.Generator().manual_seed(0)
    group_loss, meter = build_group_loss([None]), LossMeter(["tags"])
    token_losses = []
    for n_tokens in ([5, 4], [1, 0]):
        mask = torch.arange(5) < torch.tensor(n_tokens).unsqueeze(1)
        outputs = torch.randn(2, 1, 5, 3, generator=generator)
        targets = torch.where(mask, torch.randint(3, (2, 5), generator=generator), -1)
        losses = group_loss(outputs, targets.unsqueeze(1), mask.unsqueeze(1))
        token_losses.append(F.cross_entropy(outputs[:, 0][mask], targets[mask], reduction="none"))
        assert losses.counts.tolist() == [sum(n_tokens)]
        meter.add(losses)
        sentence_losses = TaskLosses(torch.tensor([2.0]), torch.tensor([0]), torch.tensor([2]))
        both = TaskLosses(
            torch.cat([losses.values, sentence_losses.values]),
            torch.tensor([0, 1]),
            torch.cat([losses.counts, sentence_losses.counts]),
        )
        every_label = torch.cat([token_losses[-1], torch.tensor([2.0, 2.0])])
        torch.testing.assert_close(LabelMean([1.0, 1.0])(both), every_label.mean())
    assert meter.compute_means()["tags"] == pytest.approx(float(torch.cat(token_losses).mean()))


HEADS = {
    "separate": [task_block("linear")],
    "grouped": [task_block("toy-grouped")],
    "both": [task_block("linear", name="t0"), task_block("toy-grouped")],
}


def compute_parameter_gradients(
    folder: Path, tasks: list[dict[str, Any]], change: Any, weighting: str
) -> dict[str, bytes]:
    config = toy_config(folder, tasks=tasks, weighting=weighting, backbone={"type": "mlp", "hidden_dims": [8]})
    prepared, network, objective = toy_network(config)
    batch = prepared.examples.build_batch(prepared.split.train, torch.device("cpu"))
    before = objective.compute_masks(batch)
    targets = [change(table, mask) for table, mask in zip(batch.targets, before, strict=True)]
    changed_batch = Batch(batch.inputs, targets, batch.weights)
    masks = objective.compute_masks(changed_batch)
    losses = objective.compute_task_losses(network(changed_batch.inputs, masks), changed_batch, masks)
    assert len(losses.values) == 3
    objective.compute_total(losses).backward()  # type: ignore[no-untyped-call]
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert len(gradients) == len(list(network.parameters()))
    assert all(gradient.any() for gradient in gradients.values())
    return tensor_bits(gradients)


@pytest.mark.parametrize("weighting", ["sum", "label-count"])
@pytest.mark.parametrize("heads", HEADS)
def test_masked_label_has_no_effect_for_any_value(tmp_path: Path, heads: str, weighting: str) -> None:
    def keep_labels(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert set(table[~mask].tolist()) == {-1, 3}  # missing and "absent" labels
        return table

    def make_missing(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return table.masked_fill(~mask, -1)

    def make_absent(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return table.masked_fill(~mask, 3)

    def swap_labels(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.where(mask, table, 2 - table)

    def change_one_label(table: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        row = mask[:, 0].nonzero()[0, 0]
        changed = table.clone()
        changed[row, 0] = (changed[row, 0] + 1) % 3
        return changed

    expected_gradients = compute_parameter_gradients(tmp_path, HEADS[heads], keep_labels, weighting)
    for change in (make_missing, make_absent, swap_labels):
        assert compute_parameter_gradients(tmp_path, HEADS[heads], change, weighting) == expected_gradients
    assert compute_parameter_gradients(tmp_path, HEADS[heads], change_one_label, weighting) != expected_gradients


@pytest.mark.parametrize("spoil", ["nan", "inf", "-inf"])
def test_non_finite_masked_output_has_no_effect(tmp_path: Path, spoil: str) -> None:
    def gradients(value: str | None) -> dict[str, bytes]:
        head = {"type": "toy-grouped", "spoil": value}
        return compute_parameter_gradients(tmp_path, [task_block(head)], lambda table, _: table, "sum")

    assert gradients(spoil) == gradients(None)


def snapshot(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, bytes]:
    tensors = dict(network.state_dict())
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"{index}.{key}": torch.as_tensor(value) for key, value in state.items() if value is not None}
    return tensor_bits(tensors)


@pytest.mark.parametrize("optimizer_block", [{"type": "adamw", "weight_decay": 0.1}, {"type": "sgd"}])
@pytest.mark.parametrize("warm", [False, True], ids=["first step", "after steps"])
@pytest.mark.parametrize("heads", HEADS)
def test_batch_without_labels_changes_nothing(
    tmp_path: Path, heads: str, warm: bool, optimizer_block: dict[str, Any]
) -> None:
    config = toy_config(tmp_path, tasks=HEADS[heads], optimizer=optimizer_block)
    prepared, network, objective = toy_network(config)
    accelerator = Accelerator()
    optimizer = accelerator.prepare(config.optimizer.build(network.parameters()))
    gradients = StepGradients(accelerator, network, objective.group_sizes)
    batch = prepared.examples.build_batch(prepared.split.train, accelerator.device)
    for _ in range(3 if warm else 0):
        training_step(gradients, network, objective, optimizer, batch, 1.0)
    before = snapshot(network, optimizer)

    absent_targets = [table.masked_fill(table >= 0, 3) for table in batch.targets]  # all labels that are not missing
    unlabelled_batch = Batch(batch.inputs, absent_targets, batch.weights)
    losses = training_step(gradients, network, objective, optimizer, unlabelled_batch, 1.0)

    assert snapshot(network, optimizer) == before
    assert losses.values.tolist() == []
    assert losses.counts.tolist() == [0, 0, 0]
    meter = LossMeter(objective.names)
    meter.add(losses)
    assert meter.compute_means() == {"t0": None, "t1": None, "t2": None}
    training_step(gradients, network, objective, optimizer, batch, 1.0)
    assert snapshot(network, optimizer) != before


def test_epoch_mean_weights_all_labels_equally() -> None:
    meter = LossMeter(["a", "b"])
    meter.add(TaskLosses(torch.tensor([1.0]), torch.tensor([0]), torch.tensor([3, 0])))
    meter.add(TaskLosses(torch.tensor([5.0, 2.0]), torch.tensor([0, 1]), torch.tensor([1, 2])))
    assert meter.compute_means() == {"a": 2.0, "b": 2.0}


def test_non_finite_loss_is_reported(tmp_path: Path) -> None:
    prepared, network, objective = toy_network(toy_config(tmp_path))
    batch = prepared.examples.build_batch(prepared.split.train, torch.device("cpu"))
    masks = objective.compute_masks(batch)
    with torch.no_grad():
        network.head_groups()[0].stacked_parameters()[0][1].fill_(float("nan"))
    with pytest.raises(MtlError, match="the loss of task 't1' is not finite"):
        objective.compute_task_losses(network(batch.inputs, masks), batch, masks)
