"""A batch without labels for a task changes none of its weights and no optimizer state of them, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import task_block, toy_config, toy_network

from mtl_core.builtins.heads.linear import Linear
from mtl_core.data.batches import Batch
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadGroup, SeparateHeads
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import training_step

OPTIMIZERS = {
    "adam": {"type": "adam", "lr": 0.01, "weight_decay": 0.1},
    "adamw": {"type": "adamw", "lr": 0.01, "weight_decay": 0.1},
    "sgd": {"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
}
HEADS = {
    "separate": [task_block("toy-linear")],
    "grouped": [task_block("toy-grouped")],
    "both": [task_block("toy-linear", name="t1"), task_block("toy-grouped")],
}


class TrainingSetup:
    """A network with its objective and optimizer; labels of some tasks can be removed from a batch."""

    def __init__(self, folder: Path, heads: str, optimizer: str) -> None:
        config = toy_config(folder, tasks=HEADS[heads], optimizer=OPTIMIZERS[optimizer])
        self.prepared, self.network, self.objective = toy_network(config)
        self.accelerator = Accelerator()
        self.optimizer = self.accelerator.prepare(config.optimizer.build(self.network.parameters()))
        self.task_locations = {
            task.name: (group, column)
            for group, tasks in zip(self.network.head_groups(), self.prepared.groups, strict=True)
            for column, task in enumerate(tasks.tasks)
        }

    def run_step(self, *unlabelled_tasks: str) -> None:
        batch = self.prepared.examples.build_batch(self.prepared.split.train, torch.device("cpu"))
        targets = [table.clone() for table in batch.targets]
        for name in unlabelled_tasks:
            group, column = self.task_locations[name]
            targets[self.network.head_groups().index(group)][:, column] = -1
        masked_batch = Batch(batch.inputs, targets, batch.weights)
        gradients = StepGradients(self.accelerator, self.network, self.objective.group_sizes)
        losses = training_step(gradients, self.network, self.objective, self.optimizer, masked_batch, 1.0)
        assert [self.objective.names[task] for task in losses.tasks] == [
            name for name in self.objective.names if name not in unlabelled_tasks
        ]

    def get_task_state(self, name: str) -> dict[str, bytes]:
        """Return the task-specific weights of a task and, row by row, their optimizer state, as bytes."""
        group, column = self.task_locations[name]
        tensors: dict[str, bytes] = {}
        for index, parameter in enumerate(group.task_parameters(column)):
            state = self.optimizer.state.get(parameter, {})
            for key, value in {"weight": parameter, **state}.items():
                tensors[f"own.{index}.{key}"] = _to_bytes(value)
        for index, parameter in enumerate(group.stacked_parameters()):
            tensors[f"row.{index}"] = _to_bytes(parameter[column])
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if value.shape == parameter.shape:
                    tensors[f"row.{index}.{key}"] = _to_bytes(value[column])
        return tensors

    def get_task_weights(self, name: str) -> dict[str, bytes]:
        return {
            key: value for key, value in self.get_task_state(name).items() if key.count(".") == 1 or "weight" in key
        }

    def get_shared_weights(self) -> dict[str, bytes]:
        return {name: _to_bytes(p) for name, p in self.network.trunk.named_parameters()}


def _to_bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("heads", HEADS)
def test_only_labelled_tasks_change(tmp_path: Path, heads: str, optimizer: str) -> None:
    setup = TrainingSetup(tmp_path, heads, optimizer)
    for _ in range(3):
        setup.run_step()
    for idle in ("t0", "t1", "t2"):
        before = {name: setup.get_task_state(name) for name in setup.task_locations}
        shared = setup.get_shared_weights()
        setup.run_step(idle)
        setup.run_step(idle)
        for name in setup.task_locations:
            assert (setup.get_task_state(name) == before[name]) == (name == idle), name
        assert setup.get_shared_weights() != shared


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("heads", HEADS)
def test_task_without_labels_in_the_first_step_is_unchanged(tmp_path: Path, heads: str, optimizer: str) -> None:
    setup = TrainingSetup(tmp_path, heads, optimizer)
    before = {name: setup.get_task_weights(name) for name in setup.task_locations}
    setup.run_step("t1")
    assert setup.get_task_weights("t1") == before["t1"]
    assert setup.get_task_weights("t0") != before["t0"]
    optimizer_state = {key: value for key, value in setup.get_task_state("t1").items() if key not in before["t1"]}
    assert not any(any(bits) for bits in optimizer_state.values())  # no state, or zeros: no momentum yet
    task_state = setup.get_task_state("t1")
    setup.run_step("t1")
    assert setup.get_task_state("t1") == task_state
    setup.run_step()
    assert all(setup.get_task_state("t1")[key] != value for key, value in task_state.items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_head_group_without_labels_is_unchanged(tmp_path: Path, optimizer: str) -> None:
    setup = TrainingSetup(tmp_path, "both", optimizer)
    for _ in range(2):
        setup.run_step()
    group, _ = setup.task_locations["t0"]
    before = [_to_bytes(parameter) for parameter in group.parameters()]
    setup.run_step("t0", "t2")
    assert [_to_bytes(parameter) for parameter in group.parameters()] == before
    setup.run_step("t0")
    assert all(_to_bytes(p) != bits for p, bits in zip(group.parameters(), before, strict=True))


def test_plain_optimizer_changes_an_unlabelled_row(tmp_path: Path) -> None:
    """The same steps with the plain optimizer show that the tests of this file can fail."""
    setup = TrainingSetup(tmp_path, "grouped", "adam")
    setup.run_step()
    before = setup.get_task_weights("t1")
    batch = setup.prepared.examples.build_batch(setup.prepared.split.train, torch.device("cpu"))
    targets = batch.targets[0].clone()
    targets[:, 1] = -1
    masked_batch = Batch(batch.inputs, [targets], batch.weights)
    masks = setup.objective.compute_masks(masked_batch)
    setup.optimizer.zero_grad()
    losses = setup.objective.compute_task_losses(setup.network(masked_batch.inputs, masks), masked_batch, masks)
    setup.objective.compute_total(losses).backward()  # type: ignore[no-untyped-call]
    setup.optimizer.step()
    assert setup.get_task_weights("t1") != before


def build_separate_heads(shape: FeatureShape, tasks: int, outputs: int = 3) -> SeparateHeads:
    return SeparateHeads(
        [f"t.{task}" for task in range(tasks)], [Linear().build(shape, outputs) for _ in range(tasks)], outputs
    )


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 8),
    tasks=st.integers(1, 4),
    sequence=st.booleans(),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_heads_compute_masked_rows_only_with_the_same_outputs(
    batch: int, tasks: int, sequence: bool, seed: int, data: st.DataObject
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        output_mask = torch.rand(batch, tasks) < data.draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
        lengths = torch.randint(1, 6, (batch,))
        mask = torch.arange(6) < lengths.unsqueeze(1)
        values = torch.randn(batch, 6, 4) * mask.unsqueeze(-1) if sequence else torch.randn(batch, 4)
        heads = build_separate_heads(FeatureShape(4, sequence), tasks)
    features = Features(values, mask if sequence else None)
    all_outputs = heads(features).outputs
    assert all_outputs.shape == (batch, tasks, 3)

    nan_values = values.clone()
    nan_values[~output_mask.any(dim=1)] = float("nan")  # a row outside the output mask is never read
    rows_read: list[int] = []
    for head in heads.heads.values():
        head.register_forward_pre_hook(lambda _, inputs: rows_read.append(len(inputs[0].values)))
    masked_outputs = heads(Features(nan_values, features.mask), output_mask).outputs
    assert rows_read == [count for count in output_mask.sum(dim=0).tolist() if count]
    torch.testing.assert_close(
        masked_outputs[output_mask],
        all_outputs[output_mask] if output_mask.any() else masked_outputs[output_mask],
        atol=1e-6,
        rtol=0,
    )
    if output_mask.any():
        assert masked_outputs.shape == all_outputs.shape


def test_tasks_with_special_characters_have_separate_heads() -> None:
    names = ["a.b", "a%2Eb", "a b", "a/b", "type"]
    heads = SeparateHeads(names, [Linear().build(FeatureShape(2, False), 2) for _ in names], 2)
    owned = [{id(p) for p in heads.task_parameters(task)} for task in range(len(names))]
    assert len(set().union(*owned)) == sum(map(len, owned)) == len(list(heads.parameters()))


def test_head_group_without_task_parameters(tmp_path: Path) -> None:
    """By default, `stacked_parameters` and `task_parameters` are empty, so all parameters are shared."""

    class Plain(HeadGroup):
        def __init__(self, inner: HeadGroup) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> Any:
            return self.inner(features, output_mask)

    setup = TrainingSetup(tmp_path, "grouped", "sgd")
    plain = Plain(setup.network.head_groups()[0])
    setup.network = MultiTaskNetwork(setup.network.trunk, [plain])
    setup.task_locations = {name: (plain, column) for name, (_, column) in setup.task_locations.items()}
    before = [_to_bytes(p) for p in plain.parameters()]
    setup.run_step("t1")
    assert all(_to_bytes(p) != bits for p, bits in zip(plain.parameters(), before, strict=True))
