"""Tests of the contents of TensorBoard, MLflow and Weights & Biases after a run, read with their own readers."""

import csv
import json
import os
import socket
import subprocess
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from readers import (
    Series,
    close,
    mlflow_runs,
    mlflow_series,
    tensorboard_config,
    tensorboard_series,
    wandb_records,
    wandb_series,
)
from toy import toy_config, write_experiment

from mtl_core.errors import MtlError
from mtl_core.runs.run import SilentView, resume_run, run_experiment

pytestmark = pytest.mark.skipif(
    any(find_spec(package) is None for package in ("tensorboard", "mlflow", "sqlalchemy", "alembic", "wandb")),
    reason="trackers' packages are not installed (extra `trackers`)",
)

DATA = {"type": "toy", "rows": 40, "test_rows": 10, "tasks": 2}
REFIT = {"epochs": 3, "batch_size": 16, "refit": True}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an MLflow database that runs share, because the creation of one takes a second."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def tracked(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with refit that TensorBoard and MLflow tracked."""
    folder = tmp_path_factory.mktemp("tracked")
    trackers = ["tensorboard", {"type": "mlflow", "folder": str(store), "experiment": "whole runs"}]
    config = toy_config(folder, data=DATA, training=REFIT, trackers=trackers)
    return run_experiment(config, folder / "run").path


def expected_series(run: Path) -> Series:
    """Compute the series that trackers must have logged, from `history.csv` and `metrics.json`."""
    found: Series = {}
    step = 0
    with (run / "history.csv").open(encoding="utf-8") as lines:
        for step, row in enumerate(csv.DictReader(lines), start=1):
            refit = row.pop("stage") == "refit"
            if not refit:
                del row["epoch"]
            for name, value in row.items():
                if value:
                    place = f"refit/{name}" if refit else name.replace(".", "/", 1)
                    found.setdefault(place, []).append((step, float(value)))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for name in ("parameters", "best_epoch", "best_score"):
        found[f"final/model.{name}"] = [(step, metrics["model"][name])]
    for name, seconds in metrics["timing"].items():
        found[f"final/timing.{name}"] = [(step, seconds)]
    for part, groups in metrics["splits"].items():
        for owner, figures in {**groups["tasks"], "overall": groups["overall"]}.items():
            for name, figure in figures.items():
                if isinstance(figure, int | float):
                    found[f"final/{part}.{owner}.{name}"] = [(step, figure)]
    return found


def test_what_is_expected_is_much(tracked: Path) -> None:
    """The comparisons below would pass with empty expected series."""
    expected = expected_series(tracked)
    assert len(expected["train/t0.loss"]) == len(expected["learning_rate"]) == 3
    best = json.loads((tracked / "metrics.json").read_text())["model"]["best_epoch"]
    assert expected["refit/epoch"] == [(3 + epoch, epoch) for epoch in range(1, best + 1)]
    for name in ("validation/overall.accuracy", "final/test.t1.accuracy", "final/validation.overall.n"):
        assert name in expected


def test_tensorboard_has_every_figure_and_the_config(tracked: Path) -> None:
    assert close(tensorboard_series(tracked / "tensorboard"), expected_series(tracked))
    config = tensorboard_config(tracked / "tensorboard")
    assert config["optimizer.lr"] == 0.02
    assert config["training.refit"] is True or config["training.refit"] == 1
    assert config["training.patience"] == "null"
    assert config["backbone.hidden_dims"] == "[8]"
    assert len(list((tracked / "tensorboard").iterdir())) == 1, "one file, and no subfolders"


def test_mlflow_has_every_figure_and_the_config(tracked: Path, store: Path) -> None:
    [run] = [one for one in mlflow_runs(store) if one.info.run_name == "run"]
    assert close(mlflow_series(store, run), expected_series(tracked))
    assert run.info.status == "FINISHED"
    assert run.data.tags["mtl.run"] == json.loads((tracked / "tracking.json").read_text())["id"]
    assert run.data.params["optimizer.lr"] == "0.02"
    assert run.data.params["tasks.0.head.type"] == "linear"


def test_a_tracked_run_has_the_bits_of_another(tracked: Path, tmp_path: Path) -> None:
    plain = run_experiment(toy_config(tmp_path, data=DATA, training=REFIT), tmp_path / "run").path
    for name in ("model.safetensors", "history.csv", "predictions.jsonl", "state.json"):
        assert (plain / name).read_bytes() == (tracked / name).read_bytes(), name
    assert {path.name for path in tracked.iterdir()} - {path.name for path in plain.iterdir()} == {
        "tensorboard",
        "tracking.json",
    }


class CutOff(SilentView):
    """Callback that interrupts the run after a number of batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_a_resumed_run_goes_on_in_the_same_place(store: Path, tmp_path: Path) -> None:
    trackers = ["tensorboard", {"type": "mlflow", "folder": str(store), "experiment": "resumed runs"}]
    config = toy_config(tmp_path, data=DATA, training={**REFIT, "checkpoint_steps": 1}, trackers=trackers)
    path = tmp_path / "cut-off"
    for cut in (3, 3, 4):  # in the second epoch, in the third epoch, in the refit
        with pytest.raises(KeyboardInterrupt):
            run_experiment(config, path, CutOff(cut)) if not path.exists() else resume_run(path, CutOff(cut))
        [run] = [one for one in mlflow_runs(store) if one.info.run_name == "cut-off"]
        assert run.info.status == "FAILED"
    resume_run(path)
    assert close(tensorboard_series(path / "tensorboard"), expected_series(path))
    [run] = [one for one in mlflow_runs(store) if one.info.run_name == "cut-off"]
    assert run.info.status == "FINISHED"
    assert close(mlflow_series(store, run), expected_series(path))


@contextmanager
def listening() -> Iterator[tuple[str, list[bytes]]]:
    """Start a proxy that answers no request, and yield its URL and the list of requests to leave this machine."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(200))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_by_default_nobody_is_reached(tmp_path: Path) -> None:
    """Run in a separate process, because MLflow sends nothing where it detects a test."""
    experiment = write_experiment(tmp_path, data=DATA, trackers=["wandb", "mlflow", "tensorboard"])
    hidden = {"PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS"}
    with listening() as (proxy, asked):
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), proxy)
        shell = {"WANDB_MODE": "online", "WANDB_API_KEY": "0" * 40, "MLFLOW_TRACKING_URI": "http://192.0.2.1"}
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(
            [Path(sysconfig.get_path("scripts")) / "mtl", "run", experiment, "--out", tmp_path / "run"],
            env={**environment, **proxies, **shell},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert asked == []
    assert {path.name for path in tmp_path.iterdir()} == {"toy.yaml", "run"}, "no files outside the run directory"
    assert "mlflow" not in done.stderr.lower() + done.stdout.lower(), "trackers print nothing"
    assert "wandb" not in done.stderr + done.stdout
    assert close(tensorboard_series(tmp_path / "run" / "tensorboard"), expected_series(tmp_path / "run"))
    [run] = mlflow_runs(tmp_path / "run" / "mlflow")
    assert close(mlflow_series(tmp_path / "run" / "mlflow", run), expected_series(tmp_path / "run"))
    [path] = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert close(wandb_series(path), expected_series(tmp_path / "run"))
    by_kind: dict[str, Any] = {record.WhichOneof("record_type"): record for record in wandb_records(path)}
    assert by_kind["run"].run.project == "toy"
    assert by_kind["run"].run.display_name == "run"
    assert by_kind["exit"].exit.exit_code == 0


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_place_that_cannot_be_written_is_told_before_training(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    config = toy_config(tmp_path, data=DATA, trackers=[{"type": name, "folder": str(tmp_path / "file" / "below")}])
    view = CutOff(1)
    with pytest.raises(MtlError, match=rf"^trackers\.0 \({name}\): cannot be started: .*file"):
        run_experiment(config, tmp_path / "run", view)
    assert view.left == 1, "no batch was trained"
    assert not (tmp_path / "run").exists()


def test_two_places_of_mlflow_are_one_too_many(tmp_path: Path) -> None:
    block = {"type": "mlflow", "folder": "here", "uri": "sqlite:///there.db"}
    with pytest.raises(MtlError, match=r"trackers\.0: expected `folder` or `uri`, found both"):
        toy_config(tmp_path, trackers=[block])
