"""The result of a sweep: its trials, their states, and the best trial as an experiment."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from sweep_files import WriteSweep, get_error_message, load_deterministic_trials, load_trials

from mtl_core.config.load import load_experiment
from mtl_core.experiments.output_dir import lock_folder
from mtl_core.runs.run import run_experiment

SPACE_WITH_TINY_LR = {"optimizer.lr": {"choices": [0.02, 1.0e-9]}}


def _load_metrics(run_dir: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def test_first_trial_uses_the_values_of_the_experiment(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    space = {
        "optimizer.lr": {"type": "uniform", "low": 0.5, "high": 0.9},
        "backbone.dropout": {"choices": [0.0, 0.2]},
    }
    path = write_sweep(space, trials=2)
    result = mtl("sweep", path, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    first_trial, second_trial = load_trials(tmp_path / "out")
    assert first_trial["optimizer.lr"] == "0.02", "the value is outside the space, but the first trial uses it"
    assert first_trial["backbone.dropout"] == "0.2"
    assert 0.5 <= float(second_trial["optimizer.lr"]) <= 0.9
    report = run_experiment(load_experiment(path).config, tmp_path / "own")
    assert float(first_trial["value"]) == report.best_score
    assert first_trial["best_epoch"] == str(report.best_epoch)


def test_known_best_is_found_and_is_reproducible(
    write_sweep: WriteSweep, mtl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sweep(
        {"optimizer.lr": {"type": "log-uniform", "low": 1.0e-6, "high": 0.1}},
        sweep={"sampler": {"type": "tpe", "startup_trials": 4}},
        optimizer={"type": "adam", "lr": 1.0e-6},
    )
    result = mtl("sweep", path, "--trials", "8", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    trials = load_trials(tmp_path / "out")
    best = max(trials, key=lambda row: float(row["value"]))
    assert float(best["value"]) > float(trials[0]["value"]) + 0.2
    assert float(best["optimizer.lr"]) > 1e-3
    assert f"trial {best['number']}, the best" in result.stdout
    assert f"{float(best['value']) - float(trials[0]['value']):+.4f}" in result.stdout

    text = (tmp_path / "out" / "best.yaml").read_text(encoding="utf-8")
    assert "sweep" not in yaml.safe_load(text)
    assert best["value"] in text.splitlines()[0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "copy.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir("/")
    second_run = mtl("run", elsewhere / "copy.yaml", "--out", tmp_path / "again")
    assert second_run.returncode == 0, second_run.stderr
    metrics = _load_metrics(tmp_path / "again")
    assert metrics["model"]["best_score"] == float(best["value"])
    assert metrics["splits"]["validation"]["overall"]["accuracy"] == float(best["value"])
    assert "test" in metrics["splits"]


def test_lower_is_better_for_error_metrics(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    kind = {"type": "classification", "classes": ["c0", "c1", "c2"], "metrics": ["accuracy", "rank-distance"]}
    kind["type"] = "ordinal"
    tasks = [{"each": "*", "kind": kind, "head": "linear", "mask": {"type": "exclude-labels", "labels": ["absent"]}}]
    path = write_sweep(SPACE_WITH_TINY_LR, tasks=tasks, training={"epochs": 3, "select": {"metric": "rank_distance"}})
    result = mtl("sweep", path, "--trials", "4", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "lower is better" in result.stdout
    values_by_lr: dict[str, set[float]] = {}
    for row in load_trials(tmp_path / "out"):
        values_by_lr.setdefault(row["optimizer.lr"], set()).add(float(row["value"]))
    assert max(values_by_lr["0.02"]) < min(values_by_lr["1e-09"])
    assert yaml.safe_load((tmp_path / "out" / "best.yaml").read_text())["optimizer"]["lr"] == 0.02


def test_unpromising_trial_is_pruned_and_its_folder_removed(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    pruning = {"type": "median", "startup_trials": 2, "warmup_epochs": 2}
    path = write_sweep(
        SPACE_WITH_TINY_LR,
        trials=7,
        sweep={"pruning": pruning, "sampler": "random"},
        training={"epochs": 6, "batch_size": 8},
    )
    result = mtl("sweep", path, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    trials = load_trials(tmp_path / "out")
    pruned = [row for row in trials if row["state"] == "pruned"]
    assert pruned
    for row in pruned:
        assert row["optimizer.lr"] == "1e-09"
        assert row["value"] == ""
        assert row["reason"].endswith("after epoch 3"), "pruning starts after two warmup epochs"
    for row in trials:
        run_dir = tmp_path / "out" / "trials" / f"{int(row['number']):04d}-seed1"
        assert run_dir.exists() == (row["state"] == "complete")
    later_trials = [row for row in trials[3:] if row["optimizer.lr"] == "1e-09"]
    assert later_trials
    assert all(row["state"] == "pruned" for row in later_trials)


def test_failed_trial_is_a_result(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    space = {
        "backbone.width": {"type": "integer", "low": 1, "high": 8},
        "backbone.height": {"type": "integer", "low": 1, "high": 8},
        "optimizer.lr": {"choices": [0.02, 1.0e30]},
    }
    path = write_sweep(space, backbone={"type": "fragile", "width": 2}, sweep={"sampler": "random"})
    result = mtl("sweep", path, "--trials", "8", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    trials = load_trials(tmp_path / "out")
    assert len(trials) == 8
    failed = [row for row in trials if row["state"] == "failed"]
    assert {"more than 10" in row["reason"] for row in failed} == {True, False}
    for row in failed:
        expected_reason = "more than 10" if int(row["backbone.width"]) + int(row["backbone.height"]) > 10 else "finite"
        assert expected_reason in row["reason"]
    assert all(row["state"] == "complete" for row in trials if row not in failed)


def test_failure_of_the_first_trial_ends_the_sweep(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    path = write_sweep({"optimizer.lr": {"choices": [0.02, 1.0e30]}}, optimizer={"type": "adam", "lr": 1.0e30})
    message = get_error_message(mtl("sweep", path, "--out", tmp_path / "out"))
    assert "trial 0, the experiment's own values: " in message
    assert "not finite" in message


def test_sweeps_are_reproducible(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    """The trials are bit-identical, although one sweep runs in two parts."""
    path = write_sweep(
        sweep={"sampler": {"type": "tpe", "startup_trials": 2}, "pruning": {"type": "median", "startup_trials": 2}}
    )
    for out, trial_counts in (("whole", ["6"]), ("pieces", ["2", "6"])):
        for n_trials in trial_counts:
            result = mtl("sweep", path, "--trials", n_trials, "--out", tmp_path / out)
            assert result.returncode == 0, result.stderr
    expected_trials = load_deterministic_trials(tmp_path / "whole")
    assert [row["number"] for row in expected_trials] == [str(number) for number in range(6)]
    assert len({row["optimizer.lr"] for row in expected_trials}) == 6
    assert load_deterministic_trials(tmp_path / "pieces") == expected_trials
    best = (tmp_path / "whole" / "best.yaml").read_bytes()
    assert (tmp_path / "pieces" / "best.yaml").read_bytes() == best
    other_seed = mtl("sweep", path, "--trials", "2", "--set", "seed=2", "--out", tmp_path / "other")
    assert other_seed.returncode == 0, other_seed.stderr
    assert load_trials(tmp_path / "other")[1]["optimizer.lr"] != expected_trials[1]["optimizer.lr"]


def test_value_is_the_mean_over_seeds(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    result = mtl("sweep", write_sweep(trials=2), "--seeds", "2", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    for row in load_trials(tmp_path / "out"):
        runs = [_load_metrics(tmp_path / "out" / "trials" / f"000{row['number']}-seed{seed}") for seed in (1, 2)]
        scores = [run["model"]["best_score"] for run in runs]
        assert [run["seed"] for run in runs] == [1, 2]
        assert [float(row["seed1"]), float(row["seed2"])] == scores
        assert float(row["value"]) == sum(scores) / 2
        assert row["best_epoch"] == " ".join(str(run["model"]["best_epoch"]) for run in runs)


def test_trials_never_use_the_test_split(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    """A metric that fails on test labels ends `mtl run`, but no trial. Trials do not refit; the best run does."""
    names = ["c0", "c1", "c2"]
    kind = {"type": "classification", "classes": names, "metrics": ["secret"]}
    mask = {"type": "exclude-labels", "labels": ["absent"]}
    data = {"type": "toy", "rows": 80, "test_rows": 20, "classes": 2, "tasks": 1, "wrong_test": True}
    blocks = {
        "data": {**data, "labelled": 1.0},
        "tasks": [{"name": "t0", "kind": kind, "head": "linear", "mask": mask}],
        "split": {"type": "predefined"},
        "training": {"epochs": 2, "batch_size": 8, "refit": True},
    }
    plugin = tmp_path / "class_split.py"
    plugin.write_text(CLASS_SPLIT_PLUGIN, encoding="utf-8")
    path = write_sweep(trials=3, **{**blocks, "data": {"type": "class-split"}})
    experiment = yaml.safe_load(path.read_text(encoding="utf-8"))
    experiment["plugins"].append(str(plugin))
    path.write_text(yaml.safe_dump(experiment), encoding="utf-8")

    result = mtl("sweep", path, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert [row["state"] for row in load_trials(tmp_path / "out")] == ["complete"] * 3
    for run_dir in (tmp_path / "out" / "trials").glob("*-seed1"):
        metrics = _load_metrics(run_dir)
        assert set(metrics["splits"]) == {"validation"}
        assert "test" not in metrics["data"]["examples"]
        predictions = (run_dir / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        assert {json.loads(line)["split"] for line in predictions} == {"validation"}
        assert "refit" not in (run_dir / "history.csv").read_text(encoding="utf-8")
    assert yaml.safe_load((tmp_path / "out" / "best.yaml").read_text())["training"]["refit"] is True
    with pytest.raises(AssertionError, match="a test label was scored"):
        run_experiment(load_experiment(tmp_path / "out" / "best.yaml").config, tmp_path / "run")


CLASS_SPLIT_PLUGIN = '''
"""A loader in which only test examples have the first class."""

from typing import Literal

import numpy as np

from mtl_core import Corpus, LoaderSpec, hookimpl


class ClassSplit(LoaderSpec):
    """Numeric examples of three classes."""

    type: Literal["class-split"] = "class-split"

    def load(self) -> Corpus:
        rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
        splits = ["test" if row % 3 == 0 else "validation" if row % 3 == 1 else "train" for row in range(60)]
        labels = ["c0" if split == "test" else "c1" if row.sum() > 0 else "c2" for split, row in zip(splits, rows)]
        return Corpus(ids=[str(row) for row in range(60)], inputs=list(rows), labels={"t0": labels}, splits=splits)


@hookimpl
def mtl_loaders():
    return [ClassSplit]
'''


def test_missing_validation_split_is_an_error(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    path = write_sweep(split={"type": "random", "validation": 0.0})
    assert f"{path}: has no validation data" in get_error_message(mtl("sweep", path, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_missing_sweep_block_is_an_error(toy_experiment: Path, mtl: Any, tmp_path: Path) -> None:
    message = get_error_message(mtl("sweep", toy_experiment, "--out", tmp_path / "out"))
    assert f"{toy_experiment}: has no `sweep:` block" in message


def test_missing_optuna_is_reported(
    write_sweep: WriteSweep, mtl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sweep()
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert 'pip install "mtl-core[sweep]"' in get_error_message(mtl("sweep", path, "--out", tmp_path / "out"))
    assert mtl("validate", path).returncode == 0


def test_config_of_a_run_has_no_sweep_block(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    path = write_sweep()
    assert mtl("run", path, "--out", tmp_path / "run").returncode == 0
    assert "sweep" not in yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))


def test_only_the_same_sweep_resumes_in_a_folder(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert mtl("sweep", write_sweep(trials=1), "--out", out).returncode == 0
    trials_before = (out / "trials.csv").read_bytes()
    narrower_space = {"optimizer.lr": {"type": "log-uniform", "low": 1.0e-4, "high": 0.1}}
    for block, options, message_part in (
        ({"space": narrower_space}, (), "another space"),
        ({}, ("--set", "training.epochs=4"), "another experiment"),
        ({}, ("--seeds", "2"), "another seeds"),
        ({"sweep": {"sampler": "random"}}, (), "another sampler"),
    ):
        assert message_part in get_error_message(mtl("sweep", write_sweep(**block), *options, "--out", out))
    assert (out / "trials.csv").read_bytes() == trials_before
    unrelated_dir = tmp_path / "foreign"
    unrelated_dir.mkdir()
    assert "contains no sweep" in get_error_message(mtl("sweep", write_sweep(), "--out", unrelated_dir))
    assert not list(unrelated_dir.iterdir())
    with lock_folder(out):
        assert "another process is using this folder" in get_error_message(
            mtl("sweep", write_sweep(trials=2), "--out", out)
        )
    assert mtl("sweep", write_sweep(trials=2), "--out", out).returncode == 0
    assert len(load_trials(out)) == 2


def test_nothing_in_the_folder_is_pickled(write_sweep: WriteSweep, mtl: Any, tmp_path: Path) -> None:
    assert mtl("sweep", write_sweep(trials=1), "--out", tmp_path / "o{u}t %41?").returncode == 0
    database = sqlite3.connect(tmp_path / "o{u}t %41?" / "study.db")
    for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
        for cells in database.execute(f"select * from {table}"):  # noqa: S608
            assert not any(isinstance(cell, bytes) for cell in cells), table
    database.close()
