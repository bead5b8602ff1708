"""Distributed training takes the same steps as one process on the whole batch."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from toy import CLASSES, task_block
from two_processes import run_in_one_and_two_processes

SGD = {"type": "sgd", "lr": 0.3, "momentum": 0.9, "weight_decay": 0.01}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "few labels": {"data": {"type": "toy", "labelled": 0.15}},
    "a task on one rank only": {"data": {"type": "toy", "rows": 40, "tasks": 6, "labelled": 0.1, "seed": 3}},
    "batches of one": {"data": {"type": "toy", "rows": 9}, "training": {"epochs": 2, "batch_size": 1}},
    "class weights": {
        "tasks": [task_block(kind={"type": "classification", "class_weights": "balanced", "classes": CLASSES})]
    },
    "grouped heads": {"tasks": [task_block({"type": "toy-grouped", "spoil": "nan"})]},
    "clipped gradients": {"training": {"epochs": 2, "batch_size": 8, "max_grad_norm": 0.05}},
    "label count": {"weighting": {"type": "label-count"}},
    "learned variances": {"weighting": "uncertainty"},
    "random weights": {"weighting": "random"},
    "gradient norms": {
        "weighting": {"type": "gradnorm", "lr": 0.1},
        "data": {"type": "toy", "rows": 40, "tasks": 6, "labelled": 0.1, "seed": 3},
    },
    "relative falls": {"weighting": {"type": "famo", "lr": 0.1, "same_batch": True}},
    "refit": {"training": {"epochs": 2, "batch_size": 8, "refit": True}},
    "soft sharing": {"architecture": {"type": "soft-sharing", "strength": 0.1}},
    "with test data": {"data": {"type": "toy", "test_rows": 20}},
    "interactions": {
        "interactions": {"every_n_steps": 2, "affinity": True},
        "data": {"type": "toy", "labelled": 0.3},
    },
}
if find_spec("mtl_torchjd") and find_spec("torchjd"):  # tests of the core run without plugins
    CASES |= {
        "pcgrad": {"weighting": "pcgrad"},
        "upgrad with few labels": {"weighting": "upgrad", "data": {"type": "toy", "labelled": 0.15}},
        "mgda with grouped heads": {
            "weighting": "mgda",
            "tasks": [task_block({"type": "toy-grouped", "spoil": "nan"})],
        },
        "graddrop with clipped gradients": {
            "weighting": "graddrop",
            "training": {"epochs": 2, "batch_size": 8, "max_grad_norm": 0.05},
        },
    }


@pytest.fixture(scope="module")
def runs(build_once: Callable[[str, Callable[[Path], None]], Path]) -> dict[str, tuple[Path, Path]]:
    cases = {name.replace(" ", "-"): {"optimizer": SGD, **blocks} for name, blocks in CASES.items()}
    folder = build_once("processes", lambda folder: run_in_one_and_two_processes(folder, cases))
    return {name: (folder / name / "one", folder / name / "two") for name in cases}


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_like_one(runs: dict[str, tuple[Path, Path]], name: str) -> None:
    one, two = runs[name.replace(" ", "-")]
    weights_of_one, weights_of_two = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert set(weights_of_one) == set(weights_of_two)
    for key, expected in weights_of_one.items():
        torch.testing.assert_close(weights_of_two[key], expected, rtol=1e-4, atol=1e-5)
    first, second = (json.loads((path / "metrics.json").read_text()) for path in (one, two))
    assert second["data"] == first["data"]


def test_two_processes_count_every_label_once(runs: dict[str, tuple[Path, Path]]) -> None:
    """Each process evaluates all validation and test data, which torchmetrics would sum over processes."""
    for one, two in runs.values():
        first, second = (json.loads((path / "metrics.json").read_text())["splits"] for path in (one, two))
        for split_name, groups in first.items():
            for name, score_of_one in groups["tasks"].items():
                score_of_two = second[split_name]["tasks"][name]
                assert score_of_two["n"] == score_of_one["n"]
                rows, expected = (
                    [sum(row) for row in task_score["confusion"] or []] for task_score in (score_of_two, score_of_one)
                )
                assert rows == expected


def test_two_processes_measure_the_same_interactions(runs: dict[str, tuple[Path, Path]]) -> None:
    one, two = (json.loads((path / "interactions.json").read_text()) for path in runs["interactions"])
    assert two["steps"] == one["steps"]
    for key in ("cosine", "affinity", "norms", "conflicts"):
        torch.testing.assert_close(torch.tensor(two[key]), torch.tensor(one[key]), rtol=1e-2, atol=1e-4)


def test_only_the_first_process_writes(runs: dict[str, tuple[Path, Path]]) -> None:
    for one, two in runs.values():
        assert {file.name for file in two.iterdir()} == {file.name for file in one.iterdir()}
        assert {file.name for file in two.parent.iterdir()} == {"one", "two", "toy.yaml"}
