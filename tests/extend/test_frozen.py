"""A frozen extension: the old answers and weights are the same bits, and the result is an ordinary run."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from extension_data import build_rows, predict_bits, read_bits, write_experiment, write_table

from mtl_core.config.load import load_experiment
from mtl_core.data.input_files import hash_files
from mtl_core.runs.extension_data import prepare_extension

Mtl = Callable[..., CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("placeholder_reports")


def read_json(path: Path) -> dict[str, object]:
    value: dict[str, object] = json.loads(path.read_text())
    return value


def test_weights_and_statistics_keep_their_bits(base_folder: Path, frozen_run: Path) -> None:
    before, after = read_bits(base_folder / "base"), read_bits(frozen_run)
    assert {name: after[name] for name in before} == before
    assert any("running_mean" in name for name in before)
    assert set(after) - set(before)  # the new head


def test_answers_keep_their_bits(base_folder: Path, frozen_run: Path) -> None:
    table = base_folder / "test.csv"
    before, after = predict_bits(base_folder / "base", table), predict_bits(frozen_run, table)
    assert list(after) == ["sign", "size", "late"]
    assert {name: after[name] for name in before} == before


def test_predictions_of_the_command_are_equal(base_folder: Path, frozen_run: Path, mtl: Mtl, tmp_path: Path) -> None:
    records = []
    for run in (base_folder / "base", frozen_run):
        output = tmp_path / f"{run.name}.jsonl"
        assert mtl("predict", run, "--input", base_folder / "test.csv", "--output", output).returncode == 0
        records.append([json.loads(line)["tasks"] for line in output.read_text().splitlines()])
    before, after = records
    assert [{name: tasks[name] for name in ("sign", "size")} for tasks in after] == before
    assert all("late" in tasks for tasks in after)


def test_the_new_head_is_trained_and_forms_a_group_of_its_own(base_folder: Path, frozen_run: Path) -> None:
    state = read_json(frozen_run / "state.json")
    assert [(task["name"], task.get("extension", 0)) for task in state["tasks"]] == [  # type: ignore[attr-defined]
        ("sign", 0), ("size", 0), ("late", 1),
    ]  # fmt: skip
    metrics = read_json(frozen_run / "metrics.json")
    late = metrics["splits"]["validation"]["tasks"]["late"]  # type: ignore[index]
    assert late["accuracy"] > late["majority_accuracy"]


def test_scores_of_the_old_tasks_are_the_same(base_folder: Path, frozen_run: Path) -> None:
    before, after = (read_json(run / "metrics.json")["splits"] for run in (base_folder / "base", frozen_run))
    for split in ("validation", "test"):
        for task in ("sign", "size"):
            assert after[split]["tasks"][task] == before[split]["tasks"][task]  # type: ignore[index]


def test_provenance_names_the_run_and_the_digest_of_its_network(base_folder: Path, frozen_run: Path) -> None:
    base = base_folder / "base"
    files = read_json(frozen_run / "provenance.json")["files"]
    entry = files["extends.run"]  # type: ignore[index]
    network = [base / name for name in ("config.yaml", "model.safetensors", "state.json")]
    assert entry["name"] == "base"
    assert entry["sha256"] == hash_files(base, network)


def test_expectations_are_stated_with_interval_and_labels(base_folder: Path, frozen_run: Path) -> None:
    text = (base_folder / "frozen.txt").read_text()
    assert "late: trained on 48 labels; accuracy" in text
    assert "on 12 validation labels, 95 % interval" in text
    assert "its tasks give the same answers as before" in text
    content = read_json(frozen_run / "extension.json")
    assert (content["mode"], content["known"]) == ("frozen", [])
    added = content["added"][0]  # type: ignore[index]
    assert (added["n_training"], added["n_validation"]) == (48, 12)
    assert added["score"]["low"] <= added["score"]["mean"] <= added["score"]["high"]


def test_the_result_is_an_ordinary_run(base_folder: Path, frozen_run: Path, mtl: Mtl, tmp_path: Path) -> None:
    evaluated = mtl("evaluate", frozen_run, "--json")
    test_scores = read_json(frozen_run / "metrics.json")["splits"]["test"]  # type: ignore[index]
    assert json.loads(evaluated.stdout)["tasks"] == test_scores["tasks"]
    new_labels = mtl("evaluate", frozen_run, "--data", base_folder / "new.csv", "--data-set", "late", "--json")
    assert json.loads(new_labels.stdout)["tasks"]["late"]["n"] == 60
    repeated = mtl("run", frozen_run / "config.yaml", "--out", tmp_path / "repeated")
    assert repeated.returncode == 0, repeated.stderr
    assert read_bits(tmp_path / "repeated") == read_bits(frozen_run)
    assert mtl("validate", frozen_run / "config.yaml", "--data").returncode == 0


def test_a_run_is_extended_again(base_folder: Path, frozen_run: Path, mtl: Mtl, tmp_path: Path) -> None:
    out = tmp_path / "again"
    result = mtl(
        "extend", frozen_run, "--task", "level", "--data-set", "data", "--head", "linear", "--out", out,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    before, after = predict_bits(frozen_run, base_folder / "test.csv"), predict_bits(out, base_folder / "test.csv")
    assert list(after) == ["sign", "size", "late", "level"]
    assert {name: after[name] for name in before} == before
    splits = [read_json(run / "metrics.json")["splits"] for run in (frozen_run, out)]
    for task in ("sign", "size", "late"):
        assert splits[1]["validation"]["tasks"][task] == splits[0]["validation"]["tasks"][task]  # type: ignore[index]


def test_a_head_like_the_old_ones_changes_no_bit(mtl: Mtl, tmp_path: Path) -> None:
    """A new task with the kind and the head of old tasks could join their group, whose product then has more rows."""
    base = tmp_path / "base"
    tasks = [{"name": name, "kind": "binary", "head": "linear"} for name in ("sign", "late")]
    experiment = write_experiment(tmp_path, tasks=tasks, data={
        "type": "table", "train": "train.csv", "test": "test.csv", "numbers": ["a", "b", "c"],
    })  # fmt: skip
    assert mtl("run", experiment, "--set", "training.epochs=1", "--out", base).returncode == 0
    blocks = tmp_path / "tasks.yaml"
    blocks.write_text(json.dumps({"tasks": [{"name": "level", "kind": "binary", "head": "linear"}]}))
    result = mtl("extend", base, "--tasks", blocks, "--out", tmp_path / "more")
    assert result.returncode == 0, result.stderr
    table = tmp_path / "test.csv"
    before, after = predict_bits(base, table), predict_bits(tmp_path / "more", table)
    assert {name: after[name] for name in before} == before
    assert "level" in after


def test_a_regression_with_its_own_column(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    """The labels are a column of the run's own table, which the run did not read."""
    out = tmp_path / "score"
    result = mtl(
        "extend", base_folder / "base", "--task", "points", "--label", "score", "--kind", "regression",
        "--set", "training.epochs=3", "--set", "optimizer.lr=0.05", "--out", out,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    tasks = read_json(out / "metrics.json")["splits"]["test"]["tasks"]  # type: ignore[index]
    assert tasks["points"]["n"] == 40
    assert tasks["sign"] == read_json(base_folder / "base" / "metrics.json")["splits"]["test"]["tasks"]["sign"]  # type: ignore[index]


def test_the_calibration_of_the_old_tasks_stays(mtl: Mtl, tmp_path: Path) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    experiment = write_experiment(tmp_path, training={"epochs": 2, "batch_size": 16, "calibrate": True})
    assert mtl("run", experiment, "--out", base).returncode == 0
    assert mtl("extend", base, "--task", "late", "--kind", "binary", "--out", out).returncode == 0
    before, after = (
        {task["name"]: task.get("calibration") for task in read_json(run / "state.json")["tasks"]}  # type: ignore[attr-defined]
        for run in (base, out)
    )
    assert before["sign"] is not None
    assert {name: after[name] for name in before} == before
    assert after["late"] is not None
    assert after["late"] != before["sign"]


def test_known_inputs_keep_their_split(base_folder: Path, mtl: Mtl, tmp_path: Path) -> None:
    """New labels for inputs of the run: no validation input of the run becomes a training input."""
    table = write_table(tmp_path / "known.csv", build_rows(120, 0)[:90], ["a", "b", "c", "late"])
    out = tmp_path / "out"
    result = mtl("extend", base_folder / "base", "--task", "late", "--data", table, "--out", out)
    assert result.returncode == 0, result.stderr
    config = load_experiment(out / "config.yaml").config
    assert config.extends is not None
    data = prepare_extension(config, config.extends)
    parts = {"train": data.split.train, "validation": data.split.validation}
    inputs = {
        (source, part): {data.corpus.groups[row] for row in rows if data.corpus.sources[row] == source}
        for part, rows in parts.items()
        for source in ("data", "late")
    }
    assert len(inputs["late", "train"]) + len(inputs["late", "validation"]) == 90
    assert inputs["late", "train"] <= inputs["data", "train"]
    assert inputs["late", "validation"] <= inputs["data", "validation"]


def test_without_the_old_data_only_the_new_file_is_read(mtl: Mtl, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert mtl("run", write_experiment(tmp_path), "--set", "training.epochs=1", "--out", base).returncode == 0
    before = predict_bits(base, tmp_path / "new.csv")
    (tmp_path / "train.csv").unlink()
    assert mtl("extend", base, "--task", "late", "--out", tmp_path / "none").returncode == 2
    result = mtl("extend", base, "--task", "late", "--data", tmp_path / "new.csv", "--out", tmp_path / "new")
    assert result.returncode == 0, result.stderr
    assert "are not scored again" in result.stdout
    after = predict_bits(tmp_path / "new", tmp_path / "new.csv")
    assert {name: after[name] for name in before} == before
    assert mtl("predict", tmp_path / "new", "--input", tmp_path / "new.csv").returncode == 0


def test_changed_old_data_is_reported(mtl: Mtl, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert mtl("run", write_experiment(tmp_path), "--set", "training.epochs=1", "--out", base).returncode == 0
    write_table(tmp_path / "train.csv", build_rows(121, 0), ["a", "b", "c", "sign", "size", "late"])
    joint = mtl("extend", base, "--task", "late", "--mode", "joint", "--out", tmp_path / "joint")
    assert joint.returncode == 2
    assert "data.train has changed since the run was trained" in joint.stderr
    frozen = mtl("extend", base, "--task", "late", "--out", tmp_path / "frozen")
    assert frozen.returncode == 0, frozen.stderr
    assert "note: data.train has changed since the run was trained" in frozen.stdout
