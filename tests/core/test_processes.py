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
from two_processes import run_both_ways

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
    "clipped gradients": {"training": {"epochs": 2, "batch_size": 8, "clip_norm": 0.05}},
    "label count": {"weighting": {"type": "by-labels"}},
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
    "interactions": {"interactions": {"every": 2, "affinity": True}, "data": {"type": "toy", "labelled": 0.3}},
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
            "training": {"epochs": 2, "batch_size": 8, "clip_norm": 0.05},
        },
    }


@pytest.fixture(scope="module")
def runs(made_once: Callable[[str, Callable[[Path], None]], Path]) -> dict[str, tuple[Path, Path]]:
    cases = {name.replace(" ", "-"): {"optimizer": SGD, **blocks} for name, blocks in CASES.items()}
    folder = made_once("processes", lambda folder: run_both_ways(folder, cases))
    return {name: (folder / name / "one", folder / name / "two") for name in cases}


@pytest.mark.parametrize("name", CASES)
def test_two_processes_take_the_steps_of_one(runs: dict[str, tuple[Path, Path]], name: str) -> None:
    one, two = runs[name.replace(" ", "-")]
    alone, together = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert set(alone) == set(together)
    for key, expected in alone.items():
        torch.testing.assert_close(together[key], expected, rtol=1e-4, atol=1e-5)
    first, second = (json.loads((path / "metrics.json").read_text()) for path in (one, two))
    assert second["data"] == first["data"]


def test_two_processes_count_every_label_once(runs: dict[str, tuple[Path, Path]]) -> None:
    """Each process evaluates all validation and test data, which torchmetrics would sum over processes."""
    for one, two in runs.values():
        first, second = (json.loads((path / "metrics.json").read_text())["splits"] for path in (one, two))
        for part, groups in first.items():
            for name, alone in groups["tasks"].items():
                together = second[part]["tasks"][name]
                assert together["n"] == alone["n"]
                rows, expected = ([sum(row) for row in found["confusion"] or []] for found in (together, alone))
                assert rows == expected


def test_two_processes_see_tasks_do_the_same_to_each_other(runs: dict[str, tuple[Path, Path]]) -> None:
    one, two = (json.loads((path / "interactions.json").read_text()) for path in runs["interactions"])
    assert two["steps"] == one["steps"]
    for figure in ("cosine", "affinity", "norms", "conflicts"):
        torch.testing.assert_close(torch.tensor(two[figure]), torch.tensor(one[figure]), rtol=1e-2, atol=1e-4)


def test_only_the_first_process_writes(runs: dict[str, tuple[Path, Path]]) -> None:
    for one, two in runs.values():
        assert {file.name for file in two.iterdir()} == {file.name for file in one.iterdir()}
        assert {file.name for file in two.parent.iterdir()} == {"one", "two", "toy.yaml"}
