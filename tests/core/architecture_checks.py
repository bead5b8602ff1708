"""Checks that every architecture must pass. Tests of the core and of plugins call them."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import toy
from accelerate import Accelerator
from test_training import Interrupt, InterruptAfter, read_results
from torch import nn
from toy import tensor_bits, toy_config, toy_network

from mtl_core import BackboneSpec, Features, FeatureShape
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.data.batches import Batch
from mtl_core.data.prepare import prepare
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.architecture import Architecture, NetworkParts, build_backbone
from mtl_core.plugins.specs import ArchitectureSpec
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import training_step

Block = dict[str, Any]
TASKS = ["t0", "t1", "t2"]
OPTIMIZERS: dict[str, Block] = {
    "adamw": {"type": "adamw", "lr": 0.01, "weight_decay": 0.1},
    "momentum": {"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1},
}
CPU = torch.device("cpu")


class TrainingSetup:
    """A network of three tasks with its objective and optimizer; labels can be removed from a batch."""

    def __init__(self, folder: Path, architecture: Block, optimizer: str = "adamw") -> None:
        config = toy_config(folder, architecture=architecture, optimizer=OPTIMIZERS[optimizer])
        self.prepared, self.network, self.objective = toy_network(config)
        self.optimizer = config.optimizer.build(self.network.parameters())
        self.task_indices = {
            task.name: (group_index, column)
            for group_index, group in enumerate(self.prepared.groups)
            for column, task in enumerate(group.tasks)
        }

    def run_step(self, without: Collection[str] = (), code: int = -1) -> None:
        """Run a step on all training examples; labels of the tasks in `without` are replaced by a masked code."""
        batch = self.prepared.examples.build_batch(self.prepared.split.train, CPU)
        for name in without:
            group_index, column = self.task_indices[name]
            batch.targets[group_index][:, column] = code
        torch.manual_seed(0)
        gradients = StepGradients(Accelerator(), self.network, self.objective.group_sizes)
        losses = training_step(gradients, self.network, self.objective, self.optimizer, batch, 1.0)
        assert len(losses.values) == len(self.task_indices) - len(without)

    def get_task_parameters(self, name: str) -> list[tuple[nn.Parameter, int | None]]:
        """Return the task-specific parameters of a task, each with the task's row if it is stacked by task."""
        group_index, column = self.task_indices[name]
        task, group = self.objective.names.index(name), self.network.head_groups()[group_index]
        separate = [*self.network.trunk.task_parameters(task), *group.task_parameters(column)]
        stacked = [(parameter, task) for parameter in self.network.trunk.stacked_parameters()]
        stacked += [(parameter, column) for parameter in group.stacked_parameters()]
        return [*((parameter, None) for parameter in separate), *stacked]

    def get_task_state(self, name: str) -> dict[str, bytes]:
        """Return the task-specific parameters and their optimizer state, as bytes."""
        tensors: dict[str, torch.Tensor] = {}
        for index, (parameter, row) in enumerate(self.get_task_parameters(name)):
            optimizer_state = {
                key: value for key, value in self.optimizer.state.get(parameter, {}).items() if value is not None
            }
            for key, value in {"weight": parameter, **optimizer_state}.items():
                if row is None:
                    tensors[f"{index}.{key}"] = value
                elif value.shape == parameter.shape:  # not the number of steps, which all rows share
                    tensors[f"{index}.{key}"] = value[row]
        return tensor_bits(tensors)

    def compute_outputs(self, name: str, active_tasks: Collection[str] = TASKS) -> torch.Tensor:
        """Return the outputs of one task for all examples while the tasks in `active_tasks` are computed."""
        batch: Batch = self.prepared.examples.build_batch(np.arange(len(self.prepared.corpus)), CPU)
        output_masks = [
            torch.tensor([[task.name in active_tasks for task in group.tasks]]).expand(len(self.prepared.corpus), -1)
            for group in self.prepared.groups
        ]
        self.network.eval()
        with torch.inference_mode():
            group_outputs = self.network(batch.inputs, output_masks)
        self.network.train()
        group_index, column = self.task_indices[name]
        output = group_outputs[group_index]
        assert output is not None
        task_outputs: torch.Tensor = output.outputs[:, column].clone()
        return task_outputs


def list_changes(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """Return the tensors that changed; the first step creates the optimizer state of all rows, zeros at first."""
    return [key for key, bits in after.items() if bits != before.get(key, bytes(len(bits)))]


def check_unlabelled_tasks_unchanged(folder: Path, architecture: Block, optimizer: str) -> None:
    """A step without labels for a task changes none of its task-specific weights or their optimizer state."""
    setup = TrainingSetup(folder, architecture, optimizer)
    assert all(setup.get_task_parameters(name) for name in TASKS)
    initial_state = {name: setup.get_task_state(name) for name in TASKS}
    setup.run_step(without=["t1"])  # without labels from the first step on
    assert not list_changes(initial_state["t1"], setup.get_task_state("t1"))
    assert list_changes(initial_state["t0"], setup.get_task_state("t0"))
    for _ in range(2):
        setup.run_step()
    for unlabelled_tasks in (["t0"], ["t2", "t1"]):
        before = {name: setup.get_task_state(name) for name in TASKS}
        setup.run_step(without=unlabelled_tasks)
        setup.run_step(without=unlabelled_tasks)
        for name in TASKS:
            changed_keys = list_changes(before[name], setup.get_task_state(name))
            assert (not changed_keys) == (name in unlabelled_tasks), f"{name}: {changed_keys}"


def check_task_specific_parameters(folder: Path, architecture: Block) -> None:
    """A parameter is task-specific if and only if it changes no other task's outputs."""
    setup = TrainingSetup(folder, architecture)
    for _ in range(3):
        setup.run_step()
    owner = {(id(parameter), row): name for name in TASKS for parameter, row in setup.get_task_parameters(name)}
    assert len(owner) == sum(len(setup.get_task_parameters(name)) for name in TASKS)
    stacked_rows = {key: row for key, row in owner if row is not None}
    before = {name: setup.compute_outputs(name) for name in TASKS}
    n_readers = 0
    for key, parameter in setup.network.named_parameters():
        original = parameter.data.clone()
        for row in range(len(parameter)) if id(parameter) in stacked_rows else [None]:
            changed = parameter.data if row is None else parameter.data[row]
            changed += torch.linspace(0.5, 1, changed.numel()).view_as(changed)
            readers = [name for name in TASKS if (setup.compute_outputs(name) - before[name]).abs().max() > 1e-6]
            parameter.data = original.clone()
            n_readers += len(readers)
            assert not readers or owner.get((id(parameter), row)) == (readers[0] if len(readers) == 1 else None), key
    assert n_readers > len(TASKS)


def check_masked_labels_have_no_effect(folder: Path, architecture: Block) -> None:
    """A label that the mask excludes is equivalent to a missing label: all weights have the same bits."""
    final_weights = []
    for code in (-1, 3):  # missing; "absent", which the mask of the toy tasks excludes
        setup = TrainingSetup(folder, architecture)
        setup.run_step()
        setup.run_step(without=["t1"], code=code)
        final_weights.append(tensor_bits(dict(setup.network.state_dict())))
    assert final_weights[0] == final_weights[1]


def check_outputs_independent_of_active_tasks(folder: Path, architecture: Block) -> None:
    """A task's outputs do not depend on which other tasks are computed, up to the rounding of matrix products."""
    setup = TrainingSetup(folder, architecture)
    for _ in range(3):
        setup.run_step()
    for name in TASKS:
        all_active_outputs = setup.compute_outputs(name)
        for other_tasks in ([], TASKS[:1], TASKS[1:]):
            torch.testing.assert_close(
                setup.compute_outputs(name, {name, *other_tasks}), all_active_outputs, rtol=0, atol=1e-6
            )


def check_loaded_run_predictions(folder: Path, architecture: Block, plugins: Sequence[str] = (toy.__file__,)) -> None:
    """The predictions that a run wrote equal those of its saved network."""
    data = {"type": "toy", "test_rows": 20}
    config = toy_config(folder, architecture=architecture, data=data, plugins=list(plugins))
    run_experiment(config, folder / "run")
    lines = (folder / "run" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    predictions = {record["id"]: record["tasks"] for record in map(json.loads, lines)}
    saved, prepared = load_run(folder / "run"), prepare(config)
    n_predictions = 0
    for batch_outputs in run_network(saved.network, prepared.examples, prepared.split.test, CPU):
        for group, output in zip(saved.groups, batch_outputs.groups, strict=True):
            assert output is not None
            for column, task in enumerate(group.tasks):
                for row, logits in zip(batch_outputs.rows.tolist(), output.outputs[:, column], strict=True):
                    probabilities = list(predictions[f"r{row}"][task.name]["probabilities"].values())
                    torch.testing.assert_close(torch.softmax(logits, 0), torch.tensor(probabilities), rtol=0, atol=1e-6)
                    n_predictions += 1
    assert n_predictions == 20 * len(TASKS)


def check_resume_is_bitwise_equal(folder: Path, architecture: Block, plugins: Sequence[str] = (toy.__file__,)) -> None:
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
        assert read_results(path) == read_results(folder / "whole")


class IdentityInputLayer(nn.Module):
    """An input layer that returns its input features."""

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__()
        self.output = shape

    def forward(self, features: Features) -> Features:
        return features


def build_noisy_architecture(
    spec: ArchitectureSpec,
    shape: FeatureShape,
    backbone: BackboneSpec | None = None,
    tasks: Sequence[str] = TASKS,
    seed: int = 0,
) -> Architecture:
    """Build an architecture that reads features directly; noise on its weights makes the tasks differ."""
    backbone_spec = backbone or MLP(hidden_dims=[shape.width])
    parts = NetworkParts(lambda: IdentityInputLayer(shape), lambda inputs: build_backbone(backbone_spec, inputs))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk = spec.build(parts, tasks)
        with torch.no_grad():
            for parameter in trunk.parameters():
                parameter.add_(torch.randn_like(parameter) / 4)
    return trunk.eval()


def check_padding_invariance(spec: ArchitectureSpec, backbone: BackboneSpec | None = None) -> None:
    """The features of an example's tokens do not depend on the batch or on the values at padding."""
    trunk = build_noisy_architecture(spec, FeatureShape(6, sequence=True), backbone)
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([4, 1, 6, 3])
    values = torch.randn(4, 9, 6, generator=generator)
    mask = torch.arange(9) < lengths.unsqueeze(1)
    single_features = [
        trunk(Features(values[row : row + 1, :length], mask[row : row + 1, :length]), [True] * 3)
        for row, length in enumerate(lengths.tolist())
    ]
    for filler in (0.0, 50.0):
        padded = trunk(Features(values.masked_fill(~mask.unsqueeze(2), filler), mask), [True] * 3)
        for task, features in enumerate(padded):
            assert features is not None
            for row, single in enumerate(single_features):
                expected = single[task]
                assert expected is not None
                torch.testing.assert_close(features.select_rows(torch.tensor([row])).mean_pool(), expected.mean_pool())
                if expected.mask is not None:
                    assert features.mask is not None
                    torch.testing.assert_close(features.values[row, features.mask[row]], expected.values[0])


def check_single_vectors(spec: ArchitectureSpec) -> None:
    """Inputs without tokens are accepted; each example is computed independently."""
    trunk = build_noisy_architecture(spec, FeatureShape(6, sequence=False))
    values = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    task_features = trunk(Features(values), [True, False, True])
    assert len(task_features) == 1 or task_features[1] is None
    for task, features in enumerate(task_features):
        if features is None:
            continue
        assert features.mask is None
        assert features.values.shape == (5, trunk.output.width)
        for row in range(5):
            single = trunk(Features(values[row : row + 1]), [True, True, True])[task]
            assert single is not None
            torch.testing.assert_close(features.values[row : row + 1], single.values)
