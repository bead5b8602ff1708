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
from test_task_kinds import CASES, list_labelled_outputs, sample_outputs
from token_components import COLUMNS, Sentences, build_experiment_blocks, build_task_blocks
from toy import tensor_bits, toy_config, toy_network

from mtl_core import Corpus, MtlError
from mtl_core.data.batches import Batch
from mtl_core.data.prepare import prepare
from mtl_core.runs.run import run_experiment
from mtl_core.training.gradients import StepGradients
from mtl_core.training.step import training_step

WEIGHTS = st.sampled_from([0.0, 0.25, 1.0, 4.0])


def compute_weighted_mean(case_name: str, weights: list[float]) -> tuple[OneTask, torch.Tensor, float | None]:
    """Return the task of a case, its outputs, and its loss by formula; None if all weights are 0."""
    case = CASES[case_name]
    task = OneTask(case.kind, case.training)
    outputs = sample_outputs(case, task, float("nan"))
    total = norm = 0.0
    for row, label in enumerate(case.labels):
        single_case = type(case)(case.kind, case.training, [label], case.width, case.loss)
        for out, single_label in list_labelled_outputs(single_case, outputs[row : row + 1]):
            total += weights[row] * float(case.loss(out, single_label))
            norm += weights[row]
    return task, outputs, total / norm if norm else None


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(sorted(CASES)), weights=st.lists(WEIGHTS, min_size=5, max_size=5))
def test_the_loss_is_the_weighted_mean_over_labels(name: str, weights: list[float]) -> None:
    labels = CASES[name].labels
    task, outputs, expected = compute_weighted_mean(name, weights)
    losses = task.compute_losses(outputs, task.encode_targets(labels), torch.tensor(weights[: len(labels)]))
    if expected is None:
        assert len(losses.values) == 0
        assert losses.counts.tolist() == [0]
    else:
        assert losses.values.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_equal_weights_have_no_effect(name: str) -> None:
    labels = CASES[name].labels
    for weight in (1.0, 0.125, 7.0):
        task, outputs, _ = compute_weighted_mean(name, [weight] * 5)
        unweighted_losses = task.compute_losses(outputs, task.encode_targets(labels))
        weighted_losses = task.compute_losses(outputs, task.encode_targets(labels), torch.full((len(labels),), weight))
        torch.testing.assert_close(weighted_losses.values, unweighted_losses.values, atol=1e-6, rtol=1e-6)
        assert weighted_losses.counts.tolist() == unweighted_losses.counts.tolist()


def test_weights_of_labels_and_of_classes_are_multiplied() -> None:
    class_weights = {"type": "explicit", "values": {"a": 2.0, "b": 0.5}}
    task = OneTask({"type": "classification", "class_weights": class_weights}, ["a", "b", "c"])
    outputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    labels = ["a", "b", "c", "a"]
    label_weights = torch.tensor([1.0, 3.0, 0.5, 0.0])
    products = label_weights * torch.tensor([2.0, 0.5, 1.0, 2.0])
    label_losses = torch.stack(
        [-torch.log_softmax(outputs[row], 0)["abc".index(name)] for row, name in enumerate(labels)]
    )
    losses = task.compute_losses(outputs, task.encode_targets(labels), label_weights)
    torch.testing.assert_close(losses.values[0], (label_losses * products).sum() / products.sum())


# ── from the loader ──


def get_weights(corpus: Corpus, column: str) -> np.ndarray[Any, Any]:
    return np.asarray(corpus.weights[column], dtype=np.float32)


def test_loader_weights_apply_to_each_task_of_the_column(tmp_path: Path) -> None:
    data = {"type": "sentences", "rows": 40, "test_rows": 0, "weighted": True}
    twin_task = {"name": "twin", "label": "drink", "kind": "classification", "head": "linear"}
    prepared, _, objective = toy_network(
        toy_config(tmp_path, **build_experiment_blocks(data=data, tasks=[*build_task_blocks(), twin_task]))
    )
    batch = prepared.examples.build_batch(np.arange(40), torch.device("cpu"))
    masks = objective.compute_masks(batch)
    for group, table, mask, targets in zip(prepared.groups, batch.weights, masks, batch.targets, strict=True):
        for index, task in enumerate(group.tasks):
            if task.config.kind.reads_inputs:
                assert table is None
                continue
            assert table is not None
            expected = get_weights(prepared.corpus, task.config.column)
            assert table[:, index].tolist() == expected.tolist()
            present = group.mask(targets)[:, index]
            weighted_mask = mask[:, index]
            is_zero = torch.from_numpy(expected == 0)
            assert torch.equal(weighted_mask[~is_zero], present[~is_zero])
            assert not weighted_mask[is_zero].any()
            assert present[is_zero].any()


def compute_losses(folder: Path, weighted: bool, *names: str) -> dict[str, float]:
    folder.mkdir(exist_ok=True)
    data = {"type": "sentences", "rows": 40, "test_rows": 0, "weighted": weighted}
    prepared, network, objective = toy_network(
        toy_config(folder, **build_experiment_blocks(data=data, tasks=build_task_blocks(*names)))
    )
    batch = prepared.examples.build_batch(np.arange(40), torch.device("cpu"))
    masks = objective.compute_masks(batch)
    output_masks = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    losses = objective.compute_task_losses(network(batch.inputs, output_masks, batch.masked_inputs), batch, masks)
    return dict(zip([objective.names[task] for task in losses.tasks], losses.values.tolist(), strict=True))


def test_weights_have_no_effect_on_tasks_without_weights(tmp_path: Path) -> None:
    unweighted_losses, weighted_losses = (
        compute_losses(tmp_path / "plain", False),
        compute_losses(tmp_path / "weighed", True),
    )
    unchanged_tasks = {name for name in unweighted_losses if unweighted_losses[name] == weighted_losses[name]}
    assert unchanged_tasks == {"again", "hidden", "bag"}
    assert {*unweighted_losses} - unchanged_tasks == {*COLUMNS}


def write_csv(path: Path, weights: list[str], labels: list[str]) -> Path:
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["x", "y", "label", "other", "trust"])
        for row, (label, weight) in enumerate(zip(labels, weights, strict=True)):
            writer.writerow([row % 7, (row * 3) % 5, label, "ab"[row % 2], weight])
    return path


def build_table_blocks(path: Path, **keys: Any) -> dict[str, Any]:
    return {
        "data": {"type": "table", "train": str(path), "numbers": ["x", "y"], "labels": ["label", "other"], **keys},
        "split": "predefined",
        "tasks": [{"each": "*", "head": "linear"}],
        "training": {"epochs": 2, "batch_size": 6},
    }


def test_weight_zero_equals_a_missing_label(tmp_path: Path) -> None:
    """A run on a table with weight 0 for some labels saves the same model as a run without these labels."""
    labels = [("no", "yes")[(row * row) % 3 == 1] for row in range(30)]
    is_ignored = [row % 4 == 1 for row in range(30)]
    weighted_path = write_csv(tmp_path / "zero.csv", ["0" if ignored else "1" for ignored in is_ignored], labels)
    missing_path = write_csv(
        tmp_path / "missing.csv",
        [""] * 30,
        ["" if ignored else name for ignored, name in zip(is_ignored, labels, strict=True)],
    )
    kinds = {"type": "classification", "classes": ["no", "yes", "a", "b"]}
    for path in (weighted_path, missing_path):
        tasks = [{"each": "*", "kind": kinds, "head": "linear"}]
        config = toy_config(tmp_path, **{**build_table_blocks(path, weights={"label": "trust"}), "tasks": tasks})
        run_experiment(config, path.with_suffix(""))
    zero, missing = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("zero", "missing"))
    assert zero == missing
    config = toy_config(tmp_path, **{**build_table_blocks(weighted_path), "tasks": tasks})
    run_experiment(config, tmp_path / "plain")
    assert (tmp_path / "plain" / "model.safetensors").read_bytes() != zero


def test_task_with_zero_weights_in_a_batch_is_unchanged(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["0"] * 29 + ["1"], [("no", "yes")[row % 3 == 1] for row in range(30)])
    config = toy_config(tmp_path, **build_table_blocks(path, weights={"label": "trust"}))
    prepared, network, objective = toy_network(config)
    accelerator = Accelerator()
    optimizer = accelerator.prepare(config.optimizer.build(network.parameters()))
    before = tensor_bits(dict(network.named_parameters()))
    batch = prepared.examples.build_batch(np.arange(29), torch.device("cpu"))
    gradients = StepGradients(accelerator, network, objective.group_sizes)
    losses = training_step(gradients, network, objective, optimizer, batch, None)
    assert [objective.names[task] for task in losses.tasks] == ["other"]
    after = tensor_bits(dict(network.named_parameters()))
    assert all((before[key] == after[key]) == ("task-label" in key) for key in before), "only this head is unchanged"


def test_task_with_zero_weights_only_is_refused(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", ["0"] * 30, [("no", "yes")[row % 3 == 1] for row in range(30)])
    message = "task 'label': all training labels in the column 'label' have a weight of 0"
    blocks = build_table_blocks(path, weights={"label": "trust"})
    named_task = {"name": "label", "kind": "classification", "head": "linear"}
    with pytest.raises(MtlError, match=message):
        prepare(toy_config(tmp_path, **{**blocks, "tasks": [named_task]}))
    prepared = prepare(toy_config(tmp_path, **blocks))  # a pattern matches other columns, too
    assert "label" not in [task.name for task in prepared.tasks]
    assert prepared.warnings == ["1 label column without a training label is no task (label)"]


def test_zero_weight_labels_do_not_change_scale_or_counts(tmp_path: Path) -> None:
    labels = [str(1000 if row % 4 == 0 else row % 4) for row in range(30)]
    path = write_csv(tmp_path / "t.csv", ["0" if row % 4 == 0 else "2" for row in range(30)], labels)
    regression = build_table_blocks(path, weights={"label": "trust"})
    prepared = prepare(
        toy_config(tmp_path, **{**regression, "tasks": [{"name": "label", "kind": "regression", "head": "linear"}]})
    )
    known = [float(label) for label in labels if label != "1000"]
    assert prepared.tasks[0].space.state()["mean"] == pytest.approx([np.mean(known)])
    prepared = prepare(toy_config(tmp_path, **regression))
    assert prepared.tasks[0].space.classes == ("1", "1000", "2", "3")
    assert prepared.tasks[0].class_counts == {name: labels.count(name) for name in "123"}


def test_gradient_is_that_of_the_weighted_loss(tmp_path: Path) -> None:
    """The gradient of the network's weights, not only the reported loss, is weighted."""
    path = write_csv(
        tmp_path / "t.csv", [str(row % 3) for row in range(30)], [("no", "yes")[row % 5 > 2] for row in range(30)]
    )
    config = toy_config(tmp_path, **build_table_blocks(path, weights={"label": "trust"}))
    prepared, network, objective = toy_network(config)
    network.eval()  # no dropout
    batch = prepared.examples.build_batch(np.arange(30), torch.device("cpu"))
    masks = objective.compute_masks(batch)
    losses = objective.compute_task_losses(network(batch.inputs, masks), batch, masks)
    (gradient,) = torch.autograd.grad(losses.values[0], [next(network.trunk.parameters())])
    outputs, targets = network(batch.inputs)[0].outputs[:, 0], batch.targets[0][:, 0]
    label_losses = torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
    weights = torch.tensor([float(row % 3) for row in range(30)])
    (expected_gradient,) = torch.autograd.grad(
        (label_losses * weights).sum() / weights.sum(), [next(network.trunk.parameters())]
    )
    torch.testing.assert_close(gradient, expected_gradient)


def test_batches_of_several_data_sets_have_the_weights_of_each(tmp_path: Path) -> None:
    data_sets = {
        "plain": {"type": "sentences", "rows": 20, "test_rows": 0},
        "weighed": {"type": "sentences", "rows": 20, "test_rows": 0, "seed": 3, "weighted": True},
    }
    prepared = prepare(
        toy_config(
            tmp_path,
            **build_experiment_blocks(data=None, data_sets=data_sets, tasks=build_task_blocks("wet", "tags")),
        )
    )
    expected_weights = get_weights(Sentences(rows=20, test_rows=0, seed=3, weighted=True).load(), "wet")
    batch = prepared.examples.build_batch(np.arange(40), torch.device("cpu"))
    table = batch.weights[0]
    assert table is not None
    assert table[:, 0].tolist() == [*[1.0] * 20, *expected_weights.tolist()]
    assert isinstance(batch, Batch)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), 1e300])
def test_invalid_weights_are_refused_with_their_location(weight: float) -> None:
    with pytest.raises(MtlError, match=r"example b: the weight of 'l' is .*, expected a number >= 0"):
        Corpus(["a", "b"], [1, 2], {"l": ["x", "y"]}, ["train"] * 2, weights={"l": [1.0, weight]})


def test_weights_of_unknown_columns_are_refused() -> None:
    with pytest.raises(MtlError, match="weights for 'm', which is no label column"):
        Corpus(["a"], [1], {"l": ["x"]}, ["train"], weights={"m": [1.0]})
    with pytest.raises(MtlError, match="1 ids but 2 weights of 'l'"):
        Corpus(["a"], [1], {"l": ["x"]}, ["train"], weights={"l": [1.0, 1.0]})
