"""Tests of weightings in complete runs: the weights change, and resumed runs are bit-identical."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_training import Interrupt, InterruptAfter, read_results
from toy import toy_config

from mtl_core.errors import MtlError
from mtl_core.runs.run import resume_run, run_experiment

Block = dict[str, Any]
FULLY_LABELLED: Block = {"type": "toy", "rows": 40, "labelled": 1.0, "seed": 2}
PARTIALLY_LABELLED: Block = {"type": "toy", "rows": 40, "labelled": 0.3}
ADAPTIVE_WEIGHTINGS: dict[str, Block] = {
    "uncertainty": {"type": "uncertainty"},
    "dwa": {"type": "dwa", "temperature": 0.2},
    "random": {"type": "random"},
    "geometric": {"type": "geometric"},
    "gradnorm": {"type": "gradnorm", "lr": 0.1},
    "famo": {"type": "famo", "lr": 0.1},
    "famo, same batch": {"type": "famo", "lr": 0.1, "same_batch": True},
    "smooth-tchebycheff": {"type": "smooth-tchebycheff", "mu": 0.3},
}


def run_toy(folder: Path, name: str, weighting: Block, **blocks: Any) -> Path:
    run_experiment(toy_config(folder, weighting=weighting, **{"data": FULLY_LABELLED, **blocks}), folder / name)
    return folder / name


def read_weights(path: Path) -> torch.Tensor:
    """Return the weight of each task's loss, of shape (epochs, tasks)."""
    with (path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    return torch.tensor([[float(row[f"train.t{task}.weight"]) for task in range(3)] for row in rows])


def test_sum_weights_are_constant(tmp_path: Path) -> None:
    assert bool((read_weights(run_toy(tmp_path, "run", {"type": "sum"})) == 1).all())


@pytest.mark.parametrize("name", ADAPTIVE_WEIGHTINGS)
def test_weights_change(tmp_path: Path, name: str) -> None:
    epoch_weights = read_weights(
        run_toy(tmp_path, "run", ADAPTIVE_WEIGHTINGS[name], training={"epochs": 5, "batch_size": 8})
    )
    n_constant_epochs = 2 if name == "dwa" else 1  # epochs until the weights can change
    assert bool((epoch_weights[n_constant_epochs:].std(dim=0) > 1e-3).all())
    assert bool((epoch_weights[n_constant_epochs:].std(dim=1) > 1e-3).all())
    if name in {"dwa", "random", "gradnorm"}:
        torch.testing.assert_close(epoch_weights.sum(dim=1), torch.full((5,), 3.0))
    if name in {"dwa"}:
        assert bool((epoch_weights[:2] == 1).all())
    if name.startswith("famo"):
        torch.testing.assert_close(epoch_weights.sum(dim=1), torch.ones(5))


def test_history_contains_declared_weights(tmp_path: Path) -> None:
    tasks = [
        {"name": name, "head": "linear", "mask": "exclude-labels", "weight": weight}
        for name, weight in (("t0", 1), ("t1", 2.5), ("t2", 0))
    ]
    with (run_toy(tmp_path, "run", {"type": "dwa"}, tasks=tasks) / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train.t1.weight"]) for row in rows[:2]] == [2.5, 2.5]
    assert sum(float(rows[2][f"train.t{task}.weight"]) / weight for task, weight in ((0, 1), (1, 2.5))) == (
        pytest.approx(2)
    )
    assert {row["train.t2.weight"] for row in rows} == {""}


@pytest.mark.parametrize(
    "name", [name for name in ADAPTIVE_WEIGHTINGS if name not in {"geometric", "smooth-tchebycheff"}]
)
def test_resumed_run_restores_the_weighting_state(tmp_path: Path, name: str) -> None:
    blocks = {"data": PARTIALLY_LABELLED, "training": {"epochs": 4, "batch_size": 8, "checkpoint_steps": 1}}
    expected = read_results(run_toy(tmp_path, "whole", ADAPTIVE_WEIGHTINGS[name], **blocks))
    for events in (11, 18):  # in the third epoch, when dwa is active; in the fourth
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(
                toy_config(tmp_path, weighting=ADAPTIVE_WEIGHTINGS[name], **blocks), path, InterruptAfter(events)
            )
        resume_run(path)
        assert read_results(path) == expected, events


def test_famo_next_batch_equals_same_batch_with_one_batch(
    tmp_path: Path,
) -> None:
    blocks = {
        "training": {"epochs": 20, "batch_size": 64},
        "backbone": {"type": "mlp", "hidden_dims": [8]},
        "split": {"type": "stratified", "validation": 0.0},
    }
    next_batch, same_batch, constant = (
        run_toy(tmp_path, name, {"type": "famo", **keys}, **blocks)
        for name, keys in (
            ("next", {"lr": 0.1}),
            ("same", {"lr": 0.1, "same_batch": True}),
            ("held", {"lr": 1e-9}),
        )
    )
    torch.testing.assert_close(read_weights(next_batch), read_weights(same_batch), rtol=1e-5, atol=1e-6)
    assert float((read_weights(next_batch) - read_weights(constant)).abs().max()) > 0.05
    tensors, expected = load_file(next_batch / "model.safetensors"), load_file(same_batch / "model.safetensors")
    for key, value in expected.items():
        torch.testing.assert_close(tensors[key], value, rtol=1e-4, atol=1e-5)


def test_ideal_of_an_unknown_task_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match="there is no main task 't9'"):
        run_toy(tmp_path, "run", {"type": "smooth-tchebycheff", "ideal": {"t9": 0.1}})
