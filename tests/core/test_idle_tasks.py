"""A batch without labels for a task changes none of its weights and no optimizer state of them, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import task_block, toy_config, toy_network

from mtl_core.builtins.heads import Linear
from mtl_core.model.features import Features, FeatureShape
from mtl_core.model.heads import HeadGroup, SeparateHeads
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import training_step

OPTIMIZERS = {
    "adam": {"type": "adam", "lr": 0.01, "weight_decay": 0.1},
    "adamw": {"type": "adamw", "lr": 0.01, "weight_decay": 0.1},
    "sgd": {"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
}
HEADS = {
    "separate": [task_block("linear")],
    "grouped": [task_block("toy-grouped")],
    "both": [task_block("linear", name="t1"), task_block("toy-grouped")],
}


class Bench:
    """A network with its objective and optimizer; labels of some tasks can be removed from a batch."""

    def __init__(self, folder: Path, heads: str, optimizer: str) -> None:
        config = toy_config(folder, tasks=HEADS[heads], optimizer=OPTIMIZERS[optimizer])
        self.prepared, self.network, self.objective = toy_network(config)
        self.accelerator = Accelerator()
        self.optimizer = self.accelerator.prepare(config.optimizer.build(self.network.parameters()))
        self.places = {
            task.name: (group, column)
            for group, tasks in zip(self.network.head_groups(), self.prepared.groups, strict=True)
            for column, task in enumerate(tasks.tasks)
        }

    def step(self, *idle: str) -> None:
        batch = self.prepared.examples.batch(self.prepared.split.train, torch.device("cpu"))
        targets = [table.clone() for table in batch.targets]
        for name in idle:
            group, column = self.places[name]
            targets[self.network.head_groups().index(group)][:, column] = -1
        silent = Batch(batch.inputs, targets, batch.weights)
        gradients = StepGradients(self.accelerator, self.network, self.objective.sizes)
        losses = training_step(gradients, self.network, self.objective, self.optimizer, silent, 1.0)
        assert [self.objective.names[task] for task in losses.tasks] == [
            name for name in self.objective.names if name not in idle
        ]

    def task(self, name: str) -> dict[str, bytes]:
        """Return the task-specific weights of a task and, row by row, their optimizer state, as bytes."""
        group, column = self.places[name]
        found: dict[str, bytes] = {}
        for index, parameter in enumerate(group.task_parameters(column)):
            state = self.optimizer.state.get(parameter, {})
            for key, value in {"weight": parameter, **state}.items():
                found[f"own.{index}.{key}"] = _bits(value)
        for index, parameter in enumerate(group.stacked_parameters()):
            found[f"row.{index}"] = _bits(parameter[column])
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if value.shape == parameter.shape:
                    found[f"row.{index}.{key}"] = _bits(value[column])
        return found

    def weights(self, name: str) -> dict[str, bytes]:
        return {key: value for key, value in self.task(name).items() if key.count(".") == 1 or "weight" in key}

    def shared(self) -> dict[str, bytes]:
        return {name: _bits(p) for name, p in self.network.body.named_parameters()}


def _bits(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("heads", HEADS)
def test_an_idle_task_is_left_alone_while_the_others_move(tmp_path: Path, heads: str, optimizer: str) -> None:
    bench = Bench(tmp_path, heads, optimizer)
    for _ in range(3):
        bench.step()
    for idle in ("t0", "t1", "t2"):
        before = {name: bench.task(name) for name in bench.places}
        shared = bench.shared()
        bench.step(idle)
        bench.step(idle)
        for name in bench.places:
            assert (bench.task(name) == before[name]) == (name == idle), name
        assert bench.shared() != shared


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("heads", HEADS)
def test_a_task_may_be_idle_from_the_very_first_step(tmp_path: Path, heads: str, optimizer: str) -> None:
    bench = Bench(tmp_path, heads, optimizer)
    before = {name: bench.weights(name) for name in bench.places}
    bench.step("t1")
    assert bench.weights("t1") == before["t1"]
    assert bench.weights("t0") != before["t0"]
    memory = {key: value for key, value in bench.task("t1").items() if key not in before["t1"]}
    assert not any(any(bits) for bits in memory.values())  # no state, or zeros: no momentum yet
    kept = bench.task("t1")
    bench.step("t1")
    assert bench.task("t1") == kept
    bench.step()
    assert all(bench.task("t1")[key] != value for key, value in kept.items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_group_of_which_every_task_is_idle_does_not_move_at_all(tmp_path: Path, optimizer: str) -> None:
    bench = Bench(tmp_path, "both", optimizer)
    for _ in range(2):
        bench.step()
    group, _ = bench.places["t0"]
    before = [_bits(parameter) for parameter in group.parameters()]
    bench.step("t0", "t2")
    assert [_bits(parameter) for parameter in group.parameters()] == before
    bench.step("t0")
    assert all(_bits(p) != bits for p, bits in zip(group.parameters(), before, strict=True))


def test_without_the_guard_momentum_and_weight_decay_would_move_an_idle_row(tmp_path: Path) -> None:
    """The same steps with the plain optimizer show that the tests of this file can fail."""
    bench = Bench(tmp_path, "grouped", "adam")
    bench.step()
    before = bench.weights("t1")
    batch = bench.prepared.examples.batch(bench.prepared.split.train, torch.device("cpu"))
    targets = batch.targets[0].clone()
    targets[:, 1] = -1
    silent = Batch(batch.inputs, [targets], batch.weights)
    masks = bench.objective.masks(silent)
    bench.optimizer.zero_grad()
    losses = bench.objective.task_losses(bench.network(silent.inputs, masks), silent, masks)
    bench.objective.total(losses).backward()  # type: ignore[no-untyped-call]
    bench.optimizer.step()
    assert bench.weights("t1") != before


def separate(shape: FeatureShape, tasks: int, outputs: int = 3) -> SeparateHeads:
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
def test_heads_run_on_wanted_rows_only_and_say_there_what_they_always_say(
    batch: int, tasks: int, sequence: bool, seed: int, data: st.DataObject
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        wanted = torch.rand(batch, tasks) < data.draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
        lengths = torch.randint(1, 6, (batch,))
        mask = torch.arange(6) < lengths.unsqueeze(1)
        values = torch.randn(batch, 6, 4) * mask.unsqueeze(-1) if sequence else torch.randn(batch, 4)
        heads = separate(FeatureShape(4, sequence), tasks)
    features = Features(values, mask if sequence else None)
    whole = heads(features).outputs
    assert whole.shape == (batch, tasks, 3)

    poisoned = values.clone()
    poisoned[~wanted.any(dim=1)] = float("nan")  # a row outside the output mask is never read
    read: list[int] = []
    for head in heads.heads.values():
        head.register_forward_pre_hook(lambda _, inputs: read.append(len(inputs[0].values)))
    found = heads(Features(poisoned, features.mask), wanted).outputs
    assert read == [count for count in wanted.sum(dim=0).tolist() if count]
    torch.testing.assert_close(found[wanted], whole[wanted] if wanted.any() else found[wanted], atol=1e-6, rtol=0)
    if wanted.any():
        assert found.shape == whole.shape


def test_tasks_with_odd_names_have_heads_of_their_own() -> None:
    names = ["a.b", "a%2Eb", "a b", "a/b", "type"]
    heads = SeparateHeads(names, [Linear().build(FeatureShape(2, False), 2) for _ in names], 2)
    owned = [{id(p) for p in heads.task_parameters(task)} for task in range(len(names))]
    assert len(set().union(*owned)) == sum(map(len, owned)) == len(list(heads.parameters()))


def test_a_head_group_that_names_nothing_still_works(tmp_path: Path) -> None:
    """By default, `stacked_parameters` and `task_parameters` are empty, so all parameters are shared."""

    class Plain(HeadGroup):
        def __init__(self, inner: HeadGroup) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, features: Features, wanted: torch.Tensor | None = None) -> Any:
            return self.inner(features, wanted)

    bench = Bench(tmp_path, "grouped", "sgd")
    plain = Plain(bench.network.head_groups()[0])
    bench.network = MultiTaskNetwork(bench.network.body, [plain])
    bench.places = {name: (plain, column) for name, (_, column) in bench.places.items()}
    before = [_bits(p) for p in plain.parameters()]
    bench.step("t1")
    assert all(_bits(p) != bits for p, bits in zip(plain.parameters(), before, strict=True))
