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
from toy import toy_config, write_experiment
from tracker_readers import (
    Series,
    is_close,
    list_mlflow_runs,
    read_mlflow_series,
    read_tensorboard_config,
    read_tensorboard_series,
    read_wandb_records,
    read_wandb_series,
)

from mtl_core.errors import MtlError
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.training.callback import NullCallback

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
def tracked_run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with refit that TensorBoard and MLflow tracked."""
    folder = tmp_path_factory.mktemp("tracked")
    trackers = ["tensorboard", {"type": "mlflow", "folder": str(store), "experiment": "whole runs"}]
    config = toy_config(folder, data=DATA, training=REFIT, trackers=trackers)
    return run_experiment(config, folder / "run").path


def compute_expected_series(run: Path) -> Series:
    """Compute the series that trackers must have logged, from `history.csv` and `metrics.json`."""
    series: Series = {}
    step = 0
    with (run / "history.csv").open(encoding="utf-8") as file:
        for step, row in enumerate(csv.DictReader(file), start=1):
            is_refit = row.pop("stage") == "refit"
            if not is_refit:
                del row["epoch"]
            for name, value in row.items():
                if value:
                    series_name = f"refit/{name}" if is_refit else name.replace(".", "/", 1)
                    series.setdefault(series_name, []).append((step, float(value)))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    for name in ("parameters", "best_epoch", "best_score"):
        series[f"final/model.{name}"] = [(step, metrics["model"][name])]
    for name, seconds in metrics["timing"].items():
        series[f"final/timing.{name}"] = [(step, seconds)]
    for split_name, split_metrics in metrics["splits"].items():
        for metric, mean in split_metrics["mean"].items():
            for name, score in mean.items():
                if score is not None:
                    series[f"final/{split_name}.mean.{metric}.{name}"] = [(step, score)]
        for task_name, scores in {**split_metrics["tasks"], "overall": split_metrics["overall"]}.items():
            for name, score in scores.items():
                if isinstance(score, int | float):
                    series[f"final/{split_name}.{task_name}.{name}"] = [(step, score)]
    return series


def test_expected_series_are_not_empty(tracked_run: Path) -> None:
    """The comparisons below would pass with empty expected series."""
    expected = compute_expected_series(tracked_run)
    assert len(expected["train/t0.loss"]) == len(expected["learning_rate"]) == 3
    best = json.loads((tracked_run / "metrics.json").read_text())["model"]["best_epoch"]
    assert expected["refit/epoch"] == [(3 + epoch, epoch) for epoch in range(1, best + 1)]
    for name in ("validation/overall.accuracy", "final/test.t1.accuracy", "final/validation.overall.n"):
        assert name in expected


def test_tensorboard_has_all_metrics_and_the_config(tracked_run: Path) -> None:
    assert is_close(read_tensorboard_series(tracked_run / "tensorboard"), compute_expected_series(tracked_run))
    config = read_tensorboard_config(tracked_run / "tensorboard")
    assert config["optimizer.lr"] == 0.02
    assert config["training.refit"] is True or config["training.refit"] == 1
    assert config["training.patience"] == "null"
    assert config["backbone.hidden_dims"] == "[8]"
    assert len(list((tracked_run / "tensorboard").iterdir())) == 1, "one file, and no subfolders"


def test_mlflow_has_all_metrics_and_the_config(tracked_run: Path, store: Path) -> None:
    [run] = [mlflow_run for mlflow_run in list_mlflow_runs(store) if mlflow_run.info.run_name == "run"]
    assert is_close(read_mlflow_series(store, run), compute_expected_series(tracked_run))
    assert run.info.status == "FINISHED"
    assert run.data.tags["mtl.run"] == json.loads((tracked_run / "tracking.json").read_text())["id"]
    assert run.data.params["optimizer.lr"] == "0.02"
    assert run.data.params["tasks.0.head.type"] == "linear"


def test_tracking_does_not_change_the_run(tracked_run: Path, tmp_path: Path) -> None:
    untracked_run = run_experiment(toy_config(tmp_path, data=DATA, training=REFIT), tmp_path / "run").path
    for name in ("model.safetensors", "history.csv", "predictions.jsonl", "state.json"):
        assert (untracked_run / name).read_bytes() == (tracked_run / name).read_bytes(), name
    assert {path.name for path in tracked_run.iterdir()} - {path.name for path in untracked_run.iterdir()} == {
        "tensorboard",
        "tracking.json",
    }


class InterruptAfterSteps(NullCallback):
    """Callback that interrupts the run after a number of batches."""

    def __init__(self, steps: int) -> None:
        self.steps_left = steps

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        self.steps_left -= 1
        if not self.steps_left:
            raise KeyboardInterrupt


def test_resumed_run_continues_the_same_tracker_run(store: Path, tmp_path: Path) -> None:
    trackers = ["tensorboard", {"type": "mlflow", "folder": str(store), "experiment": "resumed runs"}]
    config = toy_config(tmp_path, data=DATA, training={**REFIT, "checkpoint_steps": 1}, trackers=trackers)
    path = tmp_path / "cut-off"
    for n_steps in (3, 3, 4):  # in the second epoch, in the third epoch, in the refit
        with pytest.raises(KeyboardInterrupt):
            run_experiment(config, path, InterruptAfterSteps(n_steps)) if not path.exists() else resume_run(
                path, InterruptAfterSteps(n_steps)
            )
        [run] = [mlflow_run for mlflow_run in list_mlflow_runs(store) if mlflow_run.info.run_name == "cut-off"]
        assert run.info.status == "FAILED"
    resume_run(path)
    assert is_close(read_tensorboard_series(path / "tensorboard"), compute_expected_series(path))
    [run] = [mlflow_run for mlflow_run in list_mlflow_runs(store) if mlflow_run.info.run_name == "cut-off"]
    assert run.info.status == "FINISHED"
    assert is_close(read_mlflow_series(store, run), compute_expected_series(path))


@contextmanager
def record_requests() -> Iterator[tuple[str, list[bytes]]]:
    """Start a proxy that answers no request, and yield its URL and the list of requests to leave this machine."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(200))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", requests
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_no_network_access_by_default(tmp_path: Path) -> None:
    """Run in a separate process, because MLflow sends nothing where it detects a test."""
    experiment = write_experiment(tmp_path, data=DATA, trackers=["wandb", "mlflow", "tensorboard"])
    removed_variables = {"PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS"}
    with record_requests() as (proxy, requests):
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), proxy)
        overrides = {"WANDB_MODE": "online", "WANDB_API_KEY": "0" * 40, "MLFLOW_TRACKING_URI": "http://192.0.2.1"}
        environment = {name: value for name, value in os.environ.items() if name not in removed_variables}
        result = subprocess.run(
            [Path(sysconfig.get_path("scripts")) / "mtl", "run", experiment, "--out", tmp_path / "run"],
            env={**environment, **proxies, **overrides},
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert result.returncode == 0, result.stderr
    assert requests == []
    assert {path.name for path in tmp_path.iterdir()} == {"toy.yaml", "run"}, "no files outside the run directory"
    assert "mlflow" not in result.stderr.lower() + result.stdout.lower(), "trackers print nothing"
    assert "wandb" not in result.stderr + result.stdout
    assert is_close(
        read_tensorboard_series(tmp_path / "run" / "tensorboard"), compute_expected_series(tmp_path / "run")
    )
    [run] = list_mlflow_runs(tmp_path / "run" / "mlflow")
    assert is_close(read_mlflow_series(tmp_path / "run" / "mlflow", run), compute_expected_series(tmp_path / "run"))
    [path] = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert is_close(read_wandb_series(path), compute_expected_series(tmp_path / "run"))
    records: dict[str, Any] = {record.WhichOneof("record_type"): record for record in read_wandb_records(path)}
    assert records["run"].run.project == "toy"
    assert records["run"].run.display_name == "run"
    assert records["exit"].exit.exit_code == 0


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_unwritable_folder_is_reported_before_training(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    config = toy_config(tmp_path, data=DATA, trackers=[{"type": name, "folder": str(tmp_path / "file" / "below")}])
    callback = InterruptAfterSteps(1)
    with pytest.raises(MtlError, match=rf"^trackers\.0 \({name}\): cannot be started: .*file"):
        run_experiment(config, tmp_path / "run", callback)
    assert callback.steps_left == 1, "no batch was trained"
    assert not (tmp_path / "run").exists()


def test_mlflow_rejects_both_folder_and_uri(tmp_path: Path) -> None:
    block = {"type": "mlflow", "folder": "here", "uri": "sqlite:///there.db"}
    with pytest.raises(MtlError, match=r"trackers\.0: expected `folder` or `uri`, found both"):
        toy_config(tmp_path, trackers=[block])
