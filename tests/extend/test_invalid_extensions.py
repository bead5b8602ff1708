"""Bad input: one message with exit code 2, and nothing is written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from extension_data import build_rows, write_experiment, write_table

Mtl = Callable[..., CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("placeholder_reports")


def refuse(mtl: Mtl, run: Path, out: Path, *arguments: object) -> str:
    """Extend a run with invalid arguments, and return the message."""
    files = sorted(run.iterdir()) if run.is_dir() else []
    result = mtl("extend", run, *arguments, "--out", out)
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stderr.count("error: ") == 1
    assert "Traceback" not in result.stderr
    assert not out.exists()
    assert (sorted(run.iterdir()) if run.is_dir() else []) == files
    return result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "sign"], "--task sign: RUN already has a task 'sign'"),
        (["--task", "late", "--task", "late"], "--task late: given twice"),
        ([], "--task NAME: name at least one task"),
        (["--task", "lat"], "no column 'lat'; did you mean 'late'?"),
        (["--task", "late", "--data", "nwe.csv"], "did you mean 'new.csv'?"),
        (["--task", "late", "--data", "new.parquet"], "no such file"),
        (["--task", "lat", "--data", "new.csv"], "no column 'lat'; did you mean 'late'?"),
        (["--task", "empty"], "task 'empty': no training example has a label in the column 'empty'"),
        (["--task", "same"], "task 'same'"),
        (["--task", "same", "--kind", "binary"], "always"),
        (["--task", "three", "--kind", "regression"], "training labels are '3'; there is nothing to learn"),
        (["--task", "late", "--kind", "binry"], "did you mean 'binary'?"),
        (["--task", "late", "--head", "linar"], "did you mean 'linear'?"),
        (["--task", "late", "--head", "token-linear"], "one label per example, but the head 'token-linear'"),
        (["--task", "late", "--kind", "token-tagging"], "task 'late'"),
        (["--task", "late", "--kind", "masked-tokens"], "task 'late'"),
        (["--task", "late", "--set", "backbone=mlp"], "backbone: differs from"),
        (["--task", "late", "--set", "encoder.standardise=false"], "encoder: differs from"),
        (["--task", "late", "--set", "tasks.0.kind.positive=minus"], "changes the task 'sign'"),
        (["--task", "late", "--set", "training.epoch=3"], "training.epoch"),
        (["--task", "late", "--margin", "0.1"], "--margin: only with --mode joint"),
        (["--task", "late", "--force"], "--force: only with --mode joint"),
        (["--task", "late", "--mode", "joint", "--margin", "sing=0.1"], "no task 'sing'; did you mean 'sign'?"),
        (["--task", "late", "--data-set", "other"], "no such data set"),
        (["--task", "late", "--label", "score", "--task", "more"], "--label: the label column of one task"),
        (["--task", "late", "--tasks", "tasks.yaml"], "leave --task, --kind, --head and --label out"),
        (["--tasks", "missing.yaml"], "no such file"),
        (["--tasks", "tasks.yaml"], "expected only the key `tasks`, found 'task'"),
    ],
)
def test_invalid_arguments(
    arguments: list[str], message: str, base_folder: Path, mtl: Mtl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base_folder)
    (base_folder / "tasks.yaml").write_text("task: [{name: late}]\n")
    error = refuse(mtl, base_folder / "base", tmp_path / "out", *arguments)
    assert message.replace("RUN", str(base_folder / "base")) in error


def test_a_file_without_an_input_column(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    table = write_table(tmp_path / "new.csv", build_rows(20, 3), ["a", "b", "late"])
    error = refuse(mtl, base_folder / "base", tmp_path / "out", "--task", "late", "--data", table)
    assert "no column 'c'" in error


def test_no_run_and_unfinished_runs(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    assert "no such run directory" in refuse(mtl, tmp_path / "none", tmp_path / "out", "--task", "late")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(base_folder / "base", unfinished)
    (unfinished / "metrics.json").unlink()
    assert "the run is incomplete" in refuse(mtl, unfinished, tmp_path / "out", "--task", "late")


def test_existing_output(base_folder: Path, mtl: Mtl) -> None:
    result = mtl("extend", base_folder / "base", "--task", "late", "--out", base_folder / "base")
    assert (result.returncode, "exists already" in result.stderr) == (2, True)


def test_parts_from_python_are_named(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    run = tmp_path / "python"
    shutil.copytree(base_folder / "base", run)
    (run / "python_parts.json").write_text(json.dumps(["Tower"]))
    assert "handed in from Python, whose code is not saved" in refuse(mtl, run, tmp_path / "out", "--task", "late")


def test_features_of_each_task(mtl: Mtl, tmp_path: Path) -> None:
    base = tmp_path / "base"
    experiment = write_experiment(tmp_path, architecture="soft-sharing", backbone={"type": "mlp", "hidden_dims": [4]})
    assert mtl("run", experiment, "--set", "training.epochs=1", "--out", base).returncode == 0
    error = refuse(mtl, base, tmp_path / "out", "--task", "late")
    assert "the architecture 'soft-sharing'" in error


def test_runs_of_some_tasks(mtl: Mtl, tmp_path: Path) -> None:
    base = tmp_path / "base"
    experiment = write_experiment(tmp_path, active_tasks=["sign"])
    assert mtl("run", experiment, "--set", "training.epochs=1", "--out", base).returncode == 0
    assert "`active_tasks`" in refuse(mtl, base, tmp_path / "out", "--task", "late")


def test_a_changed_run_is_not_resumed_as_the_same(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    """The digest of the extended run is that of its network: another report does not matter, other weights do."""
    base, out = tmp_path / "base", tmp_path / "out"
    shutil.copytree(base_folder / "base", base)
    assert mtl("extend", base, "--task", "late", "--set", "training.epochs=1", "--out", out).returncode == 0
    (out / "metrics.json").unlink()
    (base / "report.html").write_text("other")
    assert mtl("resume", out).returncode == 0
    (out / "metrics.json").unlink()
    shutil.copyfile(tmp_path / "out" / "model.safetensors", base / "model.safetensors")
    result = mtl("resume", out)
    assert (result.returncode, "extends.run has changed" in result.stderr) == (2, True)
