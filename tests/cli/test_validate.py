"""`mtl validate` with and without the data, and names that are also folders."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

Mtl = Callable[..., CompletedProcess[str]]


def write_table(folder: Path, n_values: int) -> Path:
    """Write an experiment on a table with one column of letters and one of `n_values` different numbers."""
    with (folder / "prices.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["x", "y", "topic", "price"])
        for row in range(240):
            writer.writerow([row, row % 7, "ab"[row % 2], 10 * (row % n_values)])
    value = {
        "data": {"type": "table", "train": "prices.csv", "numbers": ["x", "y"]},
        "encoder": "array",
        "backbone": "identity",
        "split": {"type": "random", "validation": 0.25},
        "tasks": [{"name": "topic", "head": "linear"}, {"name": "price", "head": "linear"}],
        "training": {"epochs": 1, "batch_size": 16},
    }
    path = folder / "prices.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


def test_validate_reports_that_data_was_not_checked(toy_experiment: Path, mtl: Mtl) -> None:
    result = mtl("validate", toy_experiment)
    assert result.returncode == 0
    assert "the data was not checked; `--data` loads it" in result.stdout


def test_validate_with_data_prints_columns_counts_and_shapes(
    toy_experiment: Path, tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = mtl("validate", toy_experiment, "--data")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"{toy_experiment}: valid"
    assert lines[2:5] == [
        "27 train examples, 9 validation examples, 12 test examples",
        "label columns: sign, odd",
        "task sign: column 'sign', classification, outputs 8 x 2",
    ]
    assert lines[5].startswith("  train: ")
    assert "  test: no 8, yes 4" in lines
    assert lines[-1] == "one batch of 8 examples passed the network: 4 features, 36 parameters"
    assert "not checked" not in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_validate_with_data_finds_errors_in_the_data(tmp_path: Path, mtl: Mtl) -> None:
    path = write_table(tmp_path, 4)
    options = ["--set", "tasks.1.name=prize"]
    assert mtl("validate", path, *options).returncode == 0
    result = mtl("validate", path, *options, "--data")
    assert result.returncode == 2
    assert result.stdout == ""
    assert "task 'prize': the data has no label column 'prize'; did you mean 'price'?" in result.stderr


def test_many_different_numbers_as_classes_are_reported(tmp_path: Path, mtl: Mtl) -> None:
    warning = (
        "task 'price': each of the 60 different numbers in the column 'price' is a class; if they are quantities, "
        "use `kind: regression`"
    )
    path = write_table(tmp_path, 60)
    assert f"note: {warning}\n" in mtl("validate", path, "--data").stdout
    result = mtl("run", path, "--out", tmp_path / "run")
    assert f"note: {warning}\n" in result.stdout
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["data"]["warnings"] == [warning]
    regression = ["--set", "tasks.1.kind=regression"]
    assert "is a class" not in mtl("validate", path, "--data", *regression).stdout
    assert "is a class" not in mtl("validate", write_table(tmp_path, 50), "--data").stdout


def test_folder_does_not_shadow_a_packaged_experiment(
    tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "topic-sentiment").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "topic-sentiment.yaml: valid" in mtl("validate", "topic-sentiment").stdout
    run_result = mtl("run", "topic-sentiment", "--set", "data.train=none.csv")
    assert "--set data.train: no such file" in run_result.stderr
    compare_result = mtl("compare", "topic-sentiment", "--set", "data.train=none.csv")
    assert compare_result.stderr.startswith(
        "note: topic-sentiment: the packaged experiment is used, not the folder of this name, which would be "
        "./topic-sentiment\nerror: --set data.train: no such file"
    )
    folder_result = mtl("compare", "./topic-sentiment")
    assert "./topic-sentiment" not in folder_result.stdout
    assert "not a run directory" in folder_result.stderr


def test_folder_is_not_an_experiment(tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    for command in ("run", "validate"):
        assert mtl(command, "mine").stderr.startswith("error: unknown experiment 'mine'")
        assert mtl(command, "./mine").stderr == "error: ./mine: is a folder, expected an experiment file (.yaml)\n"


@pytest.mark.parametrize(("guess", "command"), [("train", "run"), ("eval", "evaluate"), ("tune", "sweep")])
def test_guessed_command_gets_a_hint(guess: str, command: str, mtl: Mtl) -> None:
    result = mtl(guess, "topic-sentiment")
    assert result.returncode == 2
    assert f"No such command '{guess}'. Did you mean '{command}'?" in result.stderr


@pytest.mark.parametrize("content", [b"name: a\nseed: \x07\n", b"name: a\nseed: \xff\n"])
def test_unreadable_file_is_reported_with_its_line(content: bytes, tmp_path: Path, mtl: Mtl) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    result = mtl("validate", path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {path}:2: not ")
    assert len(result.stderr.splitlines()) == 1
