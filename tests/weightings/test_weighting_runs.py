"""Tests of weightings in complete runs: the weights change, and resumed runs are bit-identical."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_training import Interrupt, InterruptAfter, results
from toy import toy_config

from mtl_core.errors import MtlError
from mtl_core.runs.run import resume_run, run_experiment

Block = dict[str, Any]
FULL: Block = {"type": "toy", "rows": 40, "labelled": 1.0, "seed": 2}
SPARSE: Block = {"type": "toy", "rows": 40, "labelled": 0.3}
MOVING: dict[str, Block] = {
    "uncertainty": {"type": "uncertainty"},
    "dwa": {"type": "dwa", "temperature": 0.2},
    "random": {"type": "random"},
    "geometric": {"type": "geometric"},
    "gradnorm": {"type": "gradnorm", "lr": 0.1},
    "famo": {"type": "famo", "lr": 0.1},
    "famo, same batch": {"type": "famo", "lr": 0.1, "same_batch": True},
    "smooth-tchebycheff": {"type": "smooth-tchebycheff", "mu": 0.3},
}


def run(folder: Path, name: str, weighting: Block, **blocks: Any) -> Path:
    run_experiment(toy_config(folder, weighting=weighting, **{"data": FULL, **blocks}), folder / name)
    return folder / name


def weights(path: Path) -> torch.Tensor:
    """Return the weight of each task's loss, of shape (epochs, tasks)."""
    with (path / "history.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return torch.tensor([[float(row[f"train.t{task}.weight"]) for task in range(3)] for row in rows])


def test_static_weights_never_move(tmp_path: Path) -> None:
    assert bool((weights(run(tmp_path, "run", {"type": "static"})) == 1).all())


@pytest.mark.parametrize("name", MOVING)
def test_weights_move(tmp_path: Path, name: str) -> None:
    found = weights(run(tmp_path, "run", MOVING[name], training={"epochs": 5, "batch_size": 8}))
    still = 2 if name == "dwa" else 1  # epochs until the weights can change
    assert bool((found[still:].std(dim=0) > 1e-3).all())
    assert bool((found[still:].std(dim=1) > 1e-3).all())
    if name in {"dwa", "random", "gradnorm"}:
        torch.testing.assert_close(found.sum(dim=1), torch.full((5,), 3.0))
    if name in {"dwa"}:
        assert bool((found[:2] == 1).all())
    if name.startswith("famo"):
        torch.testing.assert_close(found.sum(dim=1), torch.ones(5))


def test_a_declared_weight_is_told_with_the_others(tmp_path: Path) -> None:
    tasks = [
        {"name": name, "head": "linear", "mask": "exclude-labels", "weight": weight}
        for name, weight in (("t0", 1), ("t1", 2.5), ("t2", 0))
    ]
    with (run(tmp_path, "run", {"type": "dwa"}, tasks=tasks) / "history.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["train.t1.weight"]) for row in rows[:2]] == [2.5, 2.5]
    assert sum(float(rows[2][f"train.t{task}.weight"]) / weight for task, weight in ((0, 1), (1, 2.5))) == (
        pytest.approx(2)
    )
    assert {row["train.t2.weight"] for row in rows} == {""}


@pytest.mark.parametrize("name", [name for name in MOVING if name not in {"geometric", "smooth-tchebycheff"}])
def test_a_run_that_was_cut_off_goes_on_with_what_was_learned(tmp_path: Path, name: str) -> None:
    blocks = {"data": SPARSE, "training": {"epochs": 4, "batch_size": 8, "checkpoint_steps": 1}}
    expected = results(run(tmp_path, "whole", MOVING[name], **blocks))
    for events in (11, 18):  # in the third epoch, when dwa is active; in the fourth
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(toy_config(tmp_path, weighting=MOVING[name], **blocks), path, InterruptAfter(events))
        resume_run(path)
        assert results(path) == expected, events


def test_famo_sees_on_the_next_batch_what_it_would_have_seen_on_the_same_if_there_is_only_one(
    tmp_path: Path,
) -> None:
    blocks = {
        "training": {"epochs": 20, "batch_size": 64},
        "backbone": {"type": "mlp", "hidden_dims": [8]},
        "split": {"type": "stratified", "validation": 0.0},
    }
    following, same, held = (
        run(tmp_path, name, {"type": "famo", **keys}, **blocks)
        for name, keys in (
            ("next", {"lr": 0.1}),
            ("same", {"lr": 0.1, "same_batch": True}),
            ("held", {"lr": 1e-9}),
        )
    )
    torch.testing.assert_close(weights(following), weights(same), rtol=1e-5, atol=1e-6)
    assert float((weights(following) - weights(held)).abs().max()) > 0.05
    found, expected = load_file(following / "model.safetensors"), load_file(same / "model.safetensors")
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)


def test_an_ideal_for_a_task_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match="there is no main task 't9'"):
        run(tmp_path, "run", {"type": "smooth-tchebycheff", "ideal": {"t9": 0.1}})
