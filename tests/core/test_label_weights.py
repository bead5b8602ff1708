"""Label weights change the loss exactly as defined, and nothing else."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask
from test_task_kinds import CASES, labelled, outputs_for
from token_parts import COLUMNS, Sentences, blocks, tasks
from toy import tensor_bits, toy_config, toy_network

from mtl_core import Corpus, MtlError
from mtl_core.runs.prepare import prepare
from mtl_core.runs.run import run_experiment
from mtl_core.training.batches import Batch
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import training_step

WEIGHTS = st.sampled_from([0.0, 0.25, 1.0, 4.0])


def weighted_mean(case_name: str, weights: list[float]) -> tuple[OneTask, torch.Tensor, float | None]:
    """Return the task of a case, its outputs, and its loss by formula; None if all weights are 0."""
    case = CASES[case_name]
    task = OneTask(case.kind, case.training)
    outputs = outputs_for(case, task, float("nan"))
    total = norm = 0.0
    for row, label in enumerate(case.labels):
        alone = type(case)(case.kind, case.training, [label], case.width, case.loss)
        for out, one in labelled(alone, outputs[row : row + 1]):
            total += weights[row] * float(case.loss(out, one))
            norm += weights[row]
    return task, outputs, total / norm if norm else None


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(sorted(CASES)), weights=st.lists(WEIGHTS, min_size=5, max_size=5))
def test_the_loss_is_the_weighted_mean_over_labels(name: str, weights: list[float]) -> None:
    labels = CASES[name].labels
    task, outputs, expected = weighted_mean(name, weights)
    losses = task.losses(outputs, task.targets(labels), torch.tensor(weights[: len(labels)]))
    if expected is None:
        assert len(losses.values) == 0
        assert losses.counts.tolist() == [0]
    else:
        assert losses.values.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_equal_weights_are_no_weights(name: str) -> None:
    labels = CASES[name].labels
    for weight in (1.0, 0.125, 7.0):
        task, outputs, _ = weighted_mean(name, [weight] * 5)
        plain = task.losses(outputs, task.targets(labels))
        same = task.losses(outputs, task.targets(labels), torch.full((len(labels),), weight))
        torch.testing.assert_close(same.values, plain.values, atol=1e-6, rtol=1e-6)
        assert same.counts.tolist() == plain.counts.tolist()


def test_weights_of_labels_and_of_classes_are_multiplied() -> None:
    given_weights = {"type": "given", "values": {"a": 2.0, "b": 0.5}}
    task = OneTask({"type": "classification", "class_weights": given_weights}, ["a", "b", "c"])
    outputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    labels = ["a", "b", "c", "a"]
    own = torch.tensor([1.0, 3.0, 0.5, 0.0])
    both = own * torch.tensor([2.0, 0.5, 1.0, 2.0])
    each = torch.stack([-torch.log_softmax(outputs[row], 0)["abc".index(name)] for row, name in enumerate(labels)])
    losses = task.losses(outputs, task.targets(labels), own)
    torch.testing.assert_close(losses.values[0], (each * both).sum() / both.sum())


# ── from the loader ──


def weights_of(corpus: Corpus, column: str) -> np.ndarray[Any, Any]:
    return np.asarray(corpus.weights[column], dtype=np.float32)


def test_weights_of_a_loader_reach_each_task_that_learns_the_column(tmp_path: Path) -> None:
    data = {"type": "sentences", "rows": 40, "test_rows": 0, "weighted": True}
    twin = {"name": "twin", "label": "drink", "kind": "classification", "head": "linear"}
    prepared, _, objective = toy_network(toy_config(tmp_path, **blocks(data=data, tasks=[*tasks(), twin])))
    batch = prepared.examples.batch(np.arange(40), torch.device("cpu"))
    masks = objective.masks(batch)
    for group, table, mask, targets in zip(prepared.groups, batch.weights, masks, batch.targets, strict=True):
        for place, task in enumerate(group.tasks):
            if task.declared.kind.reads_inputs:
                assert table is None
                continue
            assert table is not None
            expected = weights_of(prepared.corpus, task.declared.column)
            assert table[:, place].tolist() == expected.tolist()
            present = group.mask(targets)[:, place]
            left = mask[:, place]
            silent = torch.from_numpy(expected == 0)
            assert torch.equal(left[~silent], present[~silent])
            assert not left[silent].any()
            assert present[silent].any()


def losses_of(folder: Path, weighted: bool, *names: str) -> dict[str, float]:
    folder.mkdir(exist_ok=True)
    data = {"type": "sentences", "rows": 40, "test_rows": 0, "weighted": weighted}
    prepared, network, objective = toy_network(toy_config(folder, **blocks(data=data, tasks=tasks(*names))))
    batch = prepared.examples.batch(np.arange(40), torch.device("cpu"))
    masks = objective.masks(batch)
    wanted = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    losses = objective.task_losses(network(batch.inputs, wanted, batch.hidden), batch, masks)
    return dict(zip([objective.names[task] for task in losses.tasks], losses.values.tolist(), strict=True))


def test_tasks_without_weights_do_not_notice_those_of_others(tmp_path: Path) -> None:
    plain, weighed = losses_of(tmp_path / "plain", False), losses_of(tmp_path / "weighed", True)
    same = {name for name in plain if plain[name] == weighed[name]}
    assert same == {"again", "hidden", "bag"}
    assert {*plain} - same == {*COLUMNS}


def write(path: Path, weights: list[str], labels: list[str]) -> Path:
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["x", "y", "label", "other", "trust"])
        for row, (label, weight) in enumerate(zip(labels, weights, strict=True)):
            writer.writerow([row % 7, (row * 3) % 5, label, "ab"[row % 2], weight])
    return path


def table_blocks(path: Path, **keys: Any) -> dict[str, Any]:
    return {
        "data": {"type": "table", "train": str(path), "numbers": ["x", "y"], "labels": ["label", "other"], **keys},
        "split": "predefined",
        "tasks": [{"each": "*", "head": "linear"}],
        "training": {"epochs": 2, "batch_size": 6},
    }


def test_a_weight_of_zero_is_a_missing_label(tmp_path: Path) -> None:
    """A run on a table with weight 0 for some labels saves the same model as a run without these labels."""
    labels = [("no", "yes")[(row * row) % 3 == 1] for row in range(30)]
    silent = [row % 4 == 1 for row in range(30)]
    first = write(tmp_path / "zero.csv", ["0" if mute else "1" for mute in silent], labels)
    second = write(
        tmp_path / "missing.csv", [""] * 30, ["" if m else name for m, name in zip(silent, labels, strict=True)]
    )
    kinds = {"type": "classification", "classes": ["no", "yes", "a", "b"]}
    for path in (first, second):
        tasks = [{"each": "*", "kind": kinds, "head": "linear"}]
        config = toy_config(tmp_path, **{**table_blocks(path, weights={"label": "trust"}), "tasks": tasks})
        run_experiment(config, path.with_suffix(""))
    zero, missing = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("zero", "missing"))
    assert zero == missing
    config = toy_config(tmp_path, **{**table_blocks(first), "tasks": tasks})
    run_experiment(config, tmp_path / "plain")
    assert (tmp_path / "plain" / "model.safetensors").read_bytes() != zero


def test_a_task_whose_labels_weigh_nothing_in_a_batch_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["0"] * 29 + ["1"], [("no", "yes")[row % 3 == 1] for row in range(30)])
    config = toy_config(tmp_path, **table_blocks(path, weights={"label": "trust"}))
    prepared, network, objective = toy_network(config)
    accelerator = Accelerator()
    optimizer = accelerator.prepare(config.optimizer.build(network.parameters()))
    before = tensor_bits(dict(network.named_parameters()))
    batch = prepared.examples.batch(np.arange(29), torch.device("cpu"))
    gradients = StepGradients(accelerator, network, objective.sizes)
    losses = training_step(gradients, network, objective, optimizer, batch, None)
    assert [objective.names[task] for task in losses.tasks] == ["other"]
    after = tensor_bits(dict(network.named_parameters()))
    assert all((before[key] == after[key]) == ("task-label" in key) for key in before), (
        "only this head is unchanged"
    )


def test_a_task_whose_labels_all_weigh_nothing_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", ["0"] * 30, [("no", "yes")[row % 3 == 1] for row in range(30)])
    with pytest.raises(
        MtlError, match="task 'label': all training labels in the column 'label' have a weight of 0"
    ):
        prepare(toy_config(tmp_path, **table_blocks(path, weights={"label": "trust"})))


def test_labels_that_weigh_nothing_teach_no_scale_and_no_frequency(tmp_path: Path) -> None:
    labels = [str(1000 if row % 4 == 0 else row % 4) for row in range(30)]
    path = write(tmp_path / "t.csv", ["0" if row % 4 == 0 else "2" for row in range(30)], labels)
    regression = table_blocks(path, weights={"label": "trust"})
    prepared = prepare(
        toy_config(tmp_path, **{**regression, "tasks": [{"name": "label", "kind": "regression", "head": "linear"}]})
    )
    known = [float(label) for label in labels if label != "1000"]
    assert prepared.tasks[0].space.state()["mean"] == pytest.approx([np.mean(known)])
    prepared = prepare(toy_config(tmp_path, **regression))
    assert prepared.tasks[0].space.classes == ("1", "1000", "2", "3")
    assert prepared.tasks[0].counts == {name: labels.count(name) for name in "123"}


def test_a_gradient_is_that_of_the_weighted_loss(tmp_path: Path) -> None:
    """The gradient of the network's weights, not only the reported loss, is weighted."""
    path = write(
        tmp_path / "t.csv", [str(row % 3) for row in range(30)], [("no", "yes")[row % 5 > 2] for row in range(30)]
    )
    config = toy_config(tmp_path, **table_blocks(path, weights={"label": "trust"}))
    prepared, network, objective = toy_network(config)
    network.eval()  # no dropout
    batch = prepared.examples.batch(np.arange(30), torch.device("cpu"))
    masks = objective.masks(batch)
    losses = objective.task_losses(network(batch.inputs, masks), batch, masks)
    (found,) = torch.autograd.grad(losses.values[0], [next(network.body.parameters())])
    said, targets = network(batch.inputs)[0].outputs[:, 0], batch.targets[0][:, 0]
    each = torch.nn.functional.cross_entropy(said, targets, reduction="none")
    weights = torch.tensor([float(row % 3) for row in range(30)])
    (expected,) = torch.autograd.grad((each * weights).sum() / weights.sum(), [next(network.body.parameters())])
    torch.testing.assert_close(found, expected)


def test_batches_of_several_data_sets_carry_the_weights_of_their_own(tmp_path: Path) -> None:
    sets = {
        "plain": {"type": "sentences", "rows": 20, "test_rows": 0},
        "weighed": {"type": "sentences", "rows": 20, "test_rows": 0, "seed": 3, "weighted": True},
    }
    prepared = prepare(toy_config(tmp_path, **blocks(data=None, data_sets=sets, tasks=tasks("wet", "tags"))))
    own = weights_of(Sentences(rows=20, test_rows=0, seed=3, weighted=True).load(), "wet")
    batch = prepared.examples.batch(np.arange(40), torch.device("cpu"))
    table = batch.weights[0]
    assert table is not None
    assert table[:, 0].tolist() == [*[1.0] * 20, *own.tolist()]
    assert isinstance(batch, Batch)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), 1e300])
def test_weights_that_are_none_are_refused_with_their_place(weight: float) -> None:
    with pytest.raises(MtlError, match=r"example b: the weight of 'l' is .*, expected a number >= 0"):
        Corpus(["a", "b"], [1, 2], {"l": ["x", "y"]}, ["train"] * 2, weights={"l": [1.0, weight]})


def test_weights_of_no_column_are_refused() -> None:
    with pytest.raises(MtlError, match="weights for 'm', which is no label column"):
        Corpus(["a"], [1], {"l": ["x"]}, ["train"], weights={"m": [1.0]})
    with pytest.raises(MtlError, match="1 ids but 2 weights of 'l'"):
        Corpus(["a"], [1], {"l": ["x"]}, ["train"], weights={"l": [1.0, 1.0]})
