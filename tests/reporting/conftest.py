"""Runs whose reports are tested: each is trained once per session, and tests must not modify it."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import toy

from mtl_core.cli.app import main

N_MANY_TASKS = 60


def run_mtl(*arguments: object) -> None:
    with pytest.raises(SystemExit) as system_exit:
        main([str(word) for word in arguments])
    assert system_exit.value.code == 0


@pytest.fixture(scope="session")
def tiny_run(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `mtl run` with three tasks, attention and a refit."""
    path = tmp_path_factory.mktemp("report") / "tiny"
    run_mtl(
        "run", experiment, "--out", path, "--set", "training.refit=true", "--set", "interactions={every_n_steps: 2}"
    )
    return path


@pytest.fixture(scope="session")
def every_kind_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every kind of task and an auxiliary task."""
    path = tmp_path_factory.mktemp("report") / "every-kind"
    run_mtl("run", "every-kind", "--out", path, "--set", "training.epochs=1")
    return path


@pytest.fixture(scope="session")
def numbers_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two regression tasks; one has no label in the test split."""
    folder = tmp_path_factory.mktemp("numbers")
    for split_name, rows in (("train", 40), ("test", 12)):
        lines = [f"{row},{row % 5},{row * 2},{row * 300 if split_name == 'train' else ''}" for row in range(rows)]
        (folder / f"{split_name}.csv").write_text("\n".join(["x,y,double,large", *lines]), encoding="utf-8")
    path = folder / "run"
    data = {"type": "table", "train": str(folder / "train.csv"), "test": str(folder / "test.csv")}
    experiment = toy.write_experiment(
        folder,
        data={**data, "numbers": ["x", "y"], "labels": ["double", "large"]},
        split={"type": "random", "validation": 0.25},
        tasks=[{"each": "*", "kind": "regression", "head": "linear"}],
    )
    run_mtl("run", experiment, "--out", path)
    return path


@pytest.fixture(scope="session")
def many_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with sixty tasks."""
    folder = tmp_path_factory.mktemp("many")
    experiment = toy.write_experiment(
        folder,
        data={"type": "toy", "tasks": N_MANY_TASKS, "rows": 80, "test_rows": 40},
        split={"type": "random", "validation": 0.25},
        tasks=[toy.task_block("toy-grouped")],
        training={"epochs": 1, "batch_size": 40},
    )
    path = folder / "run"
    run_mtl("run", experiment, "--out", path)
    return path


@pytest.fixture
def write_report_again(mtl: Callable[..., CompletedProcess[str]]) -> Callable[[Path], Any]:
    """Write a report and return the result of the command."""
    return lambda path: mtl("report", path)
