"""Tests of tracking: what trackers receive, when, and what happens if one of them fails."""

import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from json_lines_trackers import read_tracker_lines
from toy import toy_config, write_experiment

from mtl_core.artifacts.history import EpochRecord
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.tracking.tracked_names import TrackedNames
from mtl_core.tracking.values import MAX_TEXT_LENGTH, flatten_config
from mtl_core.training.callback import NullCallback

PLUGIN_PATHS = [
    str(Path(__file__).with_name("json_lines_trackers.py")),
    str(Path(__file__).parents[1] / "core" / "toy.py"),
]
TRAINING = {"epochs": 3, "batch_size": 16}


def build_tracked_config(folder: Path, *trackers: Any, **blocks: Any) -> ExperimentConfig:
    settings = {"training": TRAINING, "data": {"type": "toy", "rows": 40}, **blocks}
    return toy_config(folder, plugins=PLUGIN_PATHS, trackers=list(trackers), **settings)


def read_steps(run: Path, name: str = "lines") -> list[int]:
    return [line["step"] for line in read_tracker_lines(run, name) if "step" in line]


def test_tracker_receives_calls_in_order(tmp_path: Path) -> None:
    run = run_experiment(build_tracked_config(tmp_path, "lines"), tmp_path / "run").path
    start, config, first, second, third, final, finish = read_tracker_lines(run)
    state = json.loads((run / "tracking.json").read_text())
    assert start == {"began": state["id"], "name": "run", "experiment": "toy"}
    assert config["config"]["training.epochs"] == 3
    assert config["config"]["provenance.packages.torch"] == torch.__version__
    assert [first["step"], second["step"], third["step"], final["step"]] == [1, 2, 3, 3]
    assert all("train/t0.loss" in epoch and "validation/t0.accuracy" in epoch for epoch in (first, second, third))
    assert "final/validation.t0.accuracy" in final
    assert finish == {"complete": True}
    assert state == {"id": state["id"], "epochs": {"selection": 3}, "finished": True, "files": ["lines.jsonl"]}


def test_run_without_trackers_writes_no_tracking_file(tmp_path: Path) -> None:
    run = run_experiment(build_tracked_config(tmp_path), tmp_path / "run").path
    assert not (run / "tracking.json").exists()


def test_run_ids_are_unique(tmp_path: Path) -> None:
    config = build_tracked_config(tmp_path, "lines")
    ids = {read_tracker_lines(run_experiment(config, tmp_path / name).path)[0]["began"] for name in ("one", "two")}
    assert len(ids) == 2


def test_environment_variables_are_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES_WERE_BEFORE", "as it was")
    original_environment = dict(os.environ)
    run_experiment(build_tracked_config(tmp_path, "lines"), tmp_path / "run")
    assert dict(os.environ) == original_environment
    with pytest.raises(KeyboardInterrupt):
        run_experiment(build_tracked_config(tmp_path, {"type": "lines", "dies_at": 2}), tmp_path / "cut-off")
    assert dict(os.environ) == original_environment


class InterruptAtEpochEnd(NullCallback):
    """Callback that interrupts the run when an epoch is complete, before the trackers log it."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        if record.epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("refit", [False, True])
def test_epoch_that_is_repeated_is_logged_once(tmp_path: Path, refit: bool) -> None:
    """The process stops after the trackers log the epoch and before the checkpoint is written."""
    interrupting_tracker: dict[str, Any] = {"type": "second", "dies_at": 4 if refit else 2}
    config = build_tracked_config(tmp_path, "lines", interrupting_tracker, training={**TRAINING, "refit": refit})
    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(config, path)
    assert read_tracker_lines(path)[-1] == {"complete": False}
    logged_steps = read_steps(path)
    assert logged_steps == list(range(1, interrupting_tracker["dies_at"] + 1))
    report = resume_run(path)
    last_step = 3 + report.best_epoch if refit else 3
    assert read_steps(path) == [*range(1, last_step + 1), last_step]
    assert read_tracker_lines(path)[-1] == {"complete": True}
    assert len({line["began"] for line in read_tracker_lines(path) if "began" in line}) == 1


def test_unlogged_epoch_is_logged_after_resuming(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(build_tracked_config(tmp_path, "lines"), path, InterruptAtEpochEnd(2))
    assert read_steps(path) == [1]
    resume_run(path)
    assert read_steps(path) == [1, 2, 3, 3]


def test_failing_tracker_is_disabled_and_the_run_continues(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = build_tracked_config(tmp_path, {"type": "lines", "fails_at": 2}, "second")
    run = run_experiment(config, tmp_path / "run").path
    assert (run / "metrics.json").is_file()
    assert read_steps(run) == [1]
    assert read_steps(run, "second") == [1, 2, 3, 3]
    [record] = [record for record in caplog.records if record.name.startswith("mtl_core.tracking")]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "trackers.0 (lines): could not log and is disabled: RuntimeError: the server is gone"
    )


def test_tracker_that_cannot_start_stops_the_run(tmp_path: Path) -> None:
    config = build_tracked_config(tmp_path, "lines", {"type": "second", "fails_at": 0})
    with pytest.raises(MtlError) as error:
        run_experiment(config, tmp_path / "run")
    assert str(error.value) == "trackers.1 (second): cannot be started: RuntimeError: no such server"
    assert not (tmp_path / "run").exists(), "nothing was trained, so no run directory remains"


def test_missing_package_is_reported_before_data_is_read(
    tmp_path: Path, mtl: Callable[..., CompletedProcess[str]]
) -> None:
    data = {"type": "table", "train": str(tmp_path / "broken.csv"), "labels": ["a"], "text": "b"}
    (tmp_path / "broken.csv").write_text("no such columns\n")
    path = write_experiment(tmp_path, plugins=PLUGIN_PATHS, trackers=["lines", "needy"], data=data)
    missing_packages = "the tracker 'needy' needs no_such_module, nor_this, which is not installed"
    message = f"{missing_packages}: pip install no-such-package other"
    for command in ("validate", "run"):
        result = mtl(command, path)
        assert result.returncode == 2
        assert re.fullmatch(rf"error: {re.escape(str(path))}:\d+: trackers\.1: {re.escape(message)}\n", result.stderr)
    with pytest.raises(MtlError, match=rf"^trackers\.1: {re.escape(message)}$"):
        run_experiment(
            toy_config(tmp_path, plugins=PLUGIN_PATHS, trackers=["lines", "needy"], data=data), tmp_path / "run"
        )


@pytest.mark.parametrize(
    ("trackers", "message"),
    [
        (["tensorbord"], "trackers.0.type: unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
        ("tensorboard", "trackers: expected a list"),
        (["tensorboard", {"type": "tensorboard"}], "there are two trackers of type 'tensorboard'"),
        ([{"type": "wandb", "mode": "ofline"}], "trackers.0.mode: expected 'offline' or 'online', found 'ofline'"),
        ([{"type": "tensorboard", "uri": "x"}], "trackers.0.uri: unknown key 'uri'"),
    ],
)
def test_invalid_trackers_are_reported(trackers: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(MtlError, match=re.escape(message)):
        toy_config(tmp_path, trackers=trackers)


@given(st.lists(st.text(max_size=300), max_size=20))
def test_names_are_plain_stable_and_unique(texts: list[str]) -> None:
    names = TrackedNames()
    tracked_names = {text: names.get_name(text) for text in texts}
    assert all(re.fullmatch(r"[\w.-]+(/[\w.-]+)*", name) for name in tracked_names.values())
    assert all(part.strip(".") for name in tracked_names.values() for part in name.split("/"))
    assert all(len(name) <= 250 for name in tracked_names.values())
    assert len(set(tracked_names.values())) == len(tracked_names)
    assert tracked_names == {text: names.get_name(text) for text in texts}


def test_plain_names_are_unchanged() -> None:
    for name in ("train/food.loss", "validation/anecdotes/miscellaneous.macro_f1", "final/test.größe.n", "a-b_c"):
        assert TrackedNames().get_name(name) == name
    names = TrackedNames()
    assert [names.get_name("a b"), names.get_name("a?b"), names.get_name("a_b"), names.get_name("a b")] == [
        "a_b",
        "a_b_2",
        "a_b_3",
        "a_b",
    ]


def test_config_is_flattened_to_typed_values(tmp_path: Path) -> None:
    classes = [f"a class with a long name, number {number}" for number in range(30)]
    config = build_tracked_config(
        tmp_path,
        "lines",
        tasks=[
            {"name": "t0", "kind": {"type": "classification", "classes": classes}, "head": "linear"},
            {"each": "t*", "head": {"type": "linear", "dropout": 0.5}},
        ],
    )
    values = flatten_config(config)
    assert {type(value) for value in values.values()} == {str, int, float, bool}
    assert max(len(str(value)) for value in values.values()) == MAX_TEXT_LENGTH
    assert values["tasks.t0.kind.classes"].endswith("…")  # type: ignore[union-attr]
    assert values["tasks.1.head.dropout"] == 0.5
    assert values["training.epochs"] == 3
    assert values["training.refit"] is False
    assert values["training.patience"] == "null"
    assert values["init_from"] == "null"
    assert values["backbone.hidden_dims"] == "[8]"
    assert not any(key.startswith("trackers") for key in values)
