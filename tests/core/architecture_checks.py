"""Checks that every architecture must pass. Tests of the core and of plugins call them."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import toy
from accelerate import Accelerator
from test_training import Interrupt, InterruptAfter, results
from torch import nn
from toy import tensor_bits, toy_config, toy_network

from mtl_core import BackboneSpec, Features, FeatureShape
from mtl_core.builtins.backbones import MLP
from mtl_core.evaluation.outputs import run_network
from mtl_core.model.architecture import Architecture, NetworkParts, build_backbone
from mtl_core.runs.prepare import prepare
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.specs import ArchitectureSpec
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import training_step

Block = dict[str, Any]
TASKS = ["t0", "t1", "t2"]
OPTIMIZERS: dict[str, Block] = {
    "adamw": {"type": "adamw", "lr": 0.01, "weight_decay": 0.1},
    "momentum": {"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
}
CPU = torch.device("cpu")


class Bench:
    """A network of three tasks with its objective and optimizer; labels can be removed from a batch."""

    def __init__(self, folder: Path, architecture: Block, optimizer: str = "adamw") -> None:
        config = toy_config(folder, architecture=architecture, optimizer=OPTIMIZERS[optimizer])
        self.prepared, self.network, self.objective = toy_network(config)
        self.optimizer = config.optimizer.build(self.network.parameters())
        self.where = {
            task.name: (place, column)
            for place, group in enumerate(self.prepared.groups)
            for column, task in enumerate(group.tasks)
        }

    def step(self, without: Collection[str] = (), code: int = -1) -> None:
        """Run a step on all training examples; labels of the tasks in `without` are replaced by a masked code."""
        batch = self.prepared.examples.batch(self.prepared.split.train, CPU)
        for name in without:
            place, column = self.where[name]
            batch.targets[place][:, column] = code
        torch.manual_seed(0)
        gradients = StepGradients(Accelerator(), self.network, self.objective.sizes)
        losses = training_step(gradients, self.network, self.objective, self.optimizer, batch, 1.0)
        assert len(losses.values) == len(self.where) - len(without)

    def own(self, name: str) -> list[nn.Parameter]:
        """Return the task-specific parameters of a task."""
        place, column = self.where[name]
        head = self.network.head_groups()[place].task_parameters(column)
        return [*self.network.body.task_parameters(self.objective.names.index(name)), *head]

    def state(self, name: str) -> dict[str, bytes]:
        """Return the task-specific parameters and their optimizer state, as bytes."""
        found = {}
        for index, parameter in enumerate(self.own(name)):
            memory = {
                key: value for key, value in self.optimizer.state.get(parameter, {}).items() if value is not None
            }
            found |= {f"{index}.{key}": value for key, value in {"weight": parameter, **memory}.items()}
        return tensor_bits(found)

    def outputs(self, name: str, wanted: Collection[str] = TASKS) -> torch.Tensor:
        """Return the outputs of one task for all examples while the tasks in `wanted` are computed."""
        batch: Batch = self.prepared.examples.batch(np.arange(len(self.prepared.corpus)), CPU)
        asked = [
            torch.tensor([[task.name in wanted for task in group.tasks]]).expand(len(self.prepared.corpus), -1)
            for group in self.prepared.groups
        ]
        self.network.eval()
        with torch.inference_mode():
            said = self.network(batch.inputs, asked)
        self.network.train()
        place, column = self.where[name]
        output = said[place]
        assert output is not None
        return output.outputs[:, column].clone()


def check_idle_tasks_stay(folder: Path, architecture: Block, optimizer: str) -> None:
    """A step without labels for a task changes none of its task-specific weights or their optimizer state."""
    bench = Bench(folder, architecture, optimizer)
    assert all(bench.own(name) for name in TASKS)
    fresh = {name: bench.state(name) for name in TASKS}
    bench.step(without=["t1"])  # without labels from the first step on
    assert bench.state("t1") == fresh["t1"]
    assert bench.state("t0") != fresh["t0"]
    for _ in range(2):
        bench.step()
    for idle in (["t0"], ["t2", "t1"]):
        before = {name: bench.state(name) for name in TASKS}
        bench.step(without=idle)
        bench.step(without=idle)
        for name in TASKS:
            changed = [key for key, bits in bench.state(name).items() if bits != before[name].get(key)]
            assert (not changed) == (name in idle), f"{name}: {changed}"


def check_a_task_owns_what_it_alone_reads(folder: Path, architecture: Block) -> None:
    """A parameter is task-specific if and only if it changes no other task's outputs."""
    bench = Bench(folder, architecture)
    for _ in range(3):
        bench.step()
    owner = {id(parameter): name for name in TASKS for parameter in bench.own(name)}
    assert len(owner) == sum(len(bench.own(name)) for name in TASKS)
    before = {name: bench.outputs(name) for name in TASKS}
    read = 0
    for key, parameter in bench.network.named_parameters():
        kept = parameter.data.clone()
        parameter.data += torch.linspace(0.5, 1, parameter.numel()).view_as(parameter)
        readers = [name for name in TASKS if (bench.outputs(name) - before[name]).abs().max() > 1e-6]
        parameter.data = kept
        read += len(readers)
        assert not readers or owner.get(id(parameter)) == (readers[0] if len(readers) == 1 else None), key
    assert read > len(TASKS)


def check_labels_that_do_not_count_say_nothing(folder: Path, architecture: Block) -> None:
    """A label that the mask excludes is equivalent to a missing label: all weights have the same bits."""
    found = []
    for code in (-1, 3):  # missing; "absent", which the mask of the toy tasks excludes
        bench = Bench(folder, architecture)
        bench.step()
        bench.step(without=["t1"], code=code)
        found.append(tensor_bits(dict(bench.network.state_dict())))
    assert found[0] == found[1]


def check_who_is_asked_changes_no_answer(folder: Path, architecture: Block) -> None:
    """A task's outputs do not depend on which other tasks are computed, up to the rounding of matrix products."""
    bench = Bench(folder, architecture)
    for _ in range(3):
        bench.step()
    for name in TASKS:
        together = bench.outputs(name)
        for others in ([], TASKS[:1], TASKS[1:]):
            torch.testing.assert_close(bench.outputs(name, {name, *others}), together, rtol=0, atol=1e-6)


def check_a_loaded_run_says_the_same(
    folder: Path, architecture: Block, plugins: Sequence[str] = (toy.__file__,)
) -> None:
    """The predictions that a run wrote equal those of its saved network."""
    data = {"type": "toy", "test_rows": 20}
    config = toy_config(folder, architecture=architecture, data=data, plugins=list(plugins))
    run_experiment(config, folder / "run")
    lines = (folder / "run" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    written = {record["id"]: record["tasks"] for record in map(json.loads, lines)}
    saved, prepared = load_run(folder / "run"), prepare(config)
    answers = 0
    for said in run_network(saved.network, prepared.examples, prepared.split.test, CPU):
        for group, output in zip(saved.groups, said.groups, strict=True):
            assert output is not None
            for column, task in enumerate(group.tasks):
                for row, logits in zip(said.rows.tolist(), output.outputs[:, column], strict=True):
                    told = list(written[f"r{row}"][task.name]["probabilities"].values())
                    torch.testing.assert_close(torch.softmax(logits, 0), torch.tensor(told), rtol=0, atol=1e-6)
                    answers += 1
    assert answers == 20 * len(TASKS)


def check_resumes_to_the_same_bits(
    folder: Path, architecture: Block, plugins: Sequence[str] = (toy.__file__,)
) -> None:
    """An interrupted run resumes to the result of an uninterrupted one."""
    training = {"epochs": 2, "batch_size": 16, "checkpoint_steps": 1}
    config = toy_config(folder, architecture=architecture, training=training, plugins=list(plugins))
    run_experiment(config, folder / "whole")
    for events in (2, 4):  # within the first epoch, and after its last batch
        path = folder / f"cut-{events}"
        try:
            run_experiment(config, path, InterruptAfter(events))
        except Interrupt:
            resume_run(path)
        assert results(path) == results(folder / "whole")


class Given(nn.Module):
    """An input layer that returns its input features."""

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.output = shape

    def forward(self, features: Features) -> Features:
        return features


def built(
    spec: ArchitectureSpec,
    shape: FeatureShape,
    backbone: BackboneSpec | None = None,
    tasks: Sequence[str] = TASKS,
    seed: int = 0,
) -> Architecture:
    """Build an architecture that reads features directly; noise on its weights makes the tasks differ."""
    made = backbone or MLP(hidden_dims=[shape.width])
    parts = NetworkParts(lambda: Given(shape), lambda inputs: build_backbone(made, inputs))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = spec.build(parts, tasks)
        with torch.no_grad():
            for parameter in body.parameters():
                parameter.add_(torch.randn_like(parameter) / 4)
    return body.eval()


def check_padding_changes_nothing(spec: ArchitectureSpec, backbone: BackboneSpec | None = None) -> None:
    """The features of an example's tokens do not depend on the batch or on the values at padding."""
    body = built(spec, FeatureShape(6, sequence=True), backbone)
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([4, 1, 6, 3])
    values = torch.randn(4, 9, 6, generator=generator)
    mask = torch.arange(9) < lengths.unsqueeze(1)
    alone = [
        body(Features(values[row : row + 1, :length], mask[row : row + 1, :length]), [True] * 3)
        for row, length in enumerate(lengths.tolist())
    ]
    for filler in (0.0, 50.0):
        padded = body(Features(values.masked_fill(~mask.unsqueeze(2), filler), mask), [True] * 3)
        for task, found in enumerate(padded):
            assert found is not None
            for row, single in enumerate(alone):
                expected = single[task]
                assert expected is not None
                torch.testing.assert_close(found.rows(torch.tensor([row])).pooled(), expected.pooled())
                if expected.mask is not None:
                    assert found.mask is not None
                    torch.testing.assert_close(found.values[row, found.mask[row]], expected.values[0])


def check_single_vectors(spec: ArchitectureSpec) -> None:
    """Inputs without tokens are accepted; each example is computed independently."""
    body = built(spec, FeatureShape(6, sequence=False))
    values = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    together = body(Features(values), [True, False, True])
    assert len(together) == 1 or together[1] is None
    for task, found in enumerate(together):
        if found is None:
            continue
        assert found.mask is None
        assert found.values.shape == (5, body.output.width)
        for row in range(5):
            single = body(Features(values[row : row + 1]), [True, True, True])[task]
            assert single is not None
            torch.testing.assert_close(found.values[row : row + 1], single.values)
