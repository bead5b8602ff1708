"""`mtl group`: from the measurement to the verdict, resumed, and its messages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from planted import planted_groups

from mtl_core.artifacts.comparison import Comparison
from mtl_core.artifacts.groups import TaskGroups
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.run_outputs import read_run
from mtl_core.experiments.group.affinity import build_affinity_trial
from mtl_core.experiments.group.overrides import build_group_overrides
from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.saved_run import load_run

TINY = planted_groups.PlantedGroups(n_tasks=4, n_groups=2, n_examples=160, n_inputs=5, n_hidden=1, missing=0.3)
OPTIONS = ("--networks", "2", "--jobs", "1", "--set", "optimizer.lr=0.01")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("planted")
    planted_groups.write_planted_groups(folder, TINY, 0, epochs=6, width=16)
    return folder


@pytest.fixture(scope="module")
def grouped(data: Path, mtl_uncaptured: Any) -> tuple[Path, str]:
    """The output directory of a complete command, and what it printed."""
    output_dir = data / "groups"
    result = mtl_uncaptured("group", data / "planted.yaml", *OPTIONS, "--seeds", "2", "--out", output_dir)
    assert result.returncode == 0, result.stderr
    return output_dir, result.stdout


def test_command_trains_chooses_and_tests(grouped: tuple[Path, str]) -> None:
    output_dir, printed = grouped
    groups = TaskGroups.read(output_dir / "groups.json")
    assert groups.choice is not None
    assert f"chosen on validation data: {groups.choice.variant}" in printed
    assert len(printed.splitlines()) <= 40
    validation = Comparison.read(output_dir / "validation" / "comparison.json")
    test = Comparison.read(output_dir / "comparison.json")
    assert (validation.split_name, test.split_name) == ("validation", "test")
    for comparison in (validation, test):
        assert [variant.name for variant in comparison.variants] == ["together", "grouped", "apart"]
        assert comparison.reference == "together"
        assert comparison.seeds == [42, 43]
        assert set(comparison.tasks) == {f"task{index:03}" for index in range(4)}
        grouped_variant, apart = comparison.variants[1:]
        assert len(grouped_variant.runs) == 2 * len(groups.networks)
        assert len(apart.runs) == 2 * 4
    assert all(any(sentence in line for line in printed.splitlines()) for sentence in groups.choice.test)
    report = (output_dir / "report.html").read_text(encoding="utf-8")
    assert "Dendrogram and heat map of 4 tasks" in report


def test_choice_is_the_best_variant_on_validation_data(grouped: tuple[Path, str]) -> None:
    output_dir, _ = grouped
    validation = Comparison.read(output_dir / "validation" / "comparison.json")
    groups = TaskGroups.read(output_dir / "groups.json")
    scores = {one.name: one.overall.mean for one in validation.variants if one.overall and one.overall.mean is not None}
    assert len(scores) == 3
    assert groups.choice is not None
    assert scores[groups.choice.variant] == max(scores.values())


def test_scores_are_those_of_the_networks(grouped: tuple[Path, str], data: Path) -> None:
    """Test outputs are the predictions of the saved networks, and trainings did not look at the test split."""
    output_dir, _ = grouped
    for name in ("together-seed42", "group-1-seed43"):
        run_dir = output_dir / name
        metrics = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))
        assert set(metrics["splits"]) == {"validation"}
        test_metrics = json.loads((output_dir / "test" / name / "metrics.json").read_text(encoding="utf-8"))
        saved_run = load_run(run_dir)
        expected = evaluate_test_split(saved_run).scores
        for task, score in expected.tasks.items():
            assert test_metrics["splits"]["test"]["tasks"][task]["accuracy"] == pytest.approx(
                score.metrics["accuracy"].value
            )
        outputs = read_run(output_dir / "test" / name, load_experiment(run_dir / "config.yaml"))
        assert outputs.split_name == "test"
        assert len(outputs.ids) == 24


def test_together_is_the_ordinary_run(grouped: tuple[Path, str], data: Path, mtl: Any) -> None:
    output_dir, _ = grouped
    options = ("--set", "optimizer.lr=0.01", "--out", data / "run")
    assert mtl("run", data / "planted.yaml", *options).returncode == 0
    for name in ("model.safetensors", "history.csv"):
        assert (data / "run" / name).read_bytes() == (output_dir / "together-seed42" / name).read_bytes()


def test_command_resumes_without_training_again(grouped: tuple[Path, str], data: Path, mtl: Any) -> None:
    output_dir, printed = grouped
    weights = {path: path.stat().st_mtime_ns for path in output_dir.glob("*/model.safetensors")}
    assert (
        len(weights)
        == 1
        + 2 * (1 + len(TaskGroups.read(output_dir / "groups.json").networks) + 4)
        - len([one for one in TaskGroups.read(output_dir / "groups.json").networks if len(one) == 1]) * 2
    )
    result = mtl("group", data / "planted.yaml", *OPTIONS, "--seeds", "2", "--out", output_dir)
    assert result.returncode == 0, result.stderr
    assert {path: path.stat().st_mtime_ns for path in output_dir.glob("*/model.safetensors")} == weights
    assert result.stdout == printed
    other = mtl("group", data / "planted.yaml", "--networks", "2", "--out", output_dir)
    assert other.returncode == 2
    assert "exists already, but not from the same grouping; choose another --out" in other.stderr


def test_network_files_train_the_networks(grouped: tuple[Path, str], mtl: Any) -> None:
    output_dir, _ = grouped
    groups = TaskGroups.read(output_dir / "groups.json")
    for number, network in enumerate(groups.networks, start=1):
        config = yaml.safe_load((output_dir / f"group-{number}.yaml").read_text(encoding="utf-8"))
        assert config["active_tasks"] == list(network)
        assert config["name"] == f"planted-group-{number}"
    out = output_dir / "again"
    assert mtl("run", output_dir / "group-1.yaml", "--out", out).returncode == 0
    assert (out / "model.safetensors").read_bytes() == (
        output_dir / "group-1-seed42" / "model.safetensors"
    ).read_bytes()


def test_affinity_only_trains_one_network(data: Path, mtl: Any) -> None:
    output_dir = data / "division"
    result = mtl("group", data / "planted.yaml", "--networks", "2", "--affinity-only", "--out", output_dir)
    assert result.returncode == 0, result.stderr
    assert [path.parent.name for path in output_dir.glob("*/model.safetensors")] == ["affinity-seed42"]
    assert TaskGroups.read(output_dir / "groups.json").choice is None
    assert not (output_dir / "comparison.json").exists()
    history = (output_dir / "affinity-seed42" / "history.csv").read_text(encoding="utf-8").splitlines()
    assert len(history) == 1 + 3  # half of the six epochs, which have few steps


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--networks", "5"], "--networks: 5 networks for 4 tasks; expected at most one network per task"),
        (["--affinity-only", "--seeds", "3"], "--seeds: with --affinity-only, no network of the division is trained"),
        (["--set", "active_tasks=[task001]"], "has only one active task ('task001'); groups need two or more"),
        (["--margin", "x"], "--margin"),
        (["--affinity-only", "--separate"], "--separate: with --affinity-only, no network of the division is trained"),
        (["--batched", "--no-apart"], "--batched: one network per task is not trained; expected --apart with it"),
        (
            ["--batched", "--set", "training.refit=true"],
            "--batched: the single-task networks cannot be trained at once: training.refit is computed for one network",
        ),
        (
            ["--set", "split={type: random, validation: 0, test: 0.2}"],
            "there is no validation data, on which `mtl group` chooses",
        ),
    ],
)
def test_wrong_options_end_with_one_message(
    data: Path, tmp_path: Path, mtl: Any, options: list[str], message: str
) -> None:
    result = mtl("group", data / "planted.yaml", *options, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()  # noticed before the measurement


def test_measured_epochs_and_steps(data: Path) -> None:
    """A fifth of the epochs, more for few steps per epoch, at most half; about 150 steps of many are measured."""
    config = load_experiment(data / "planted.yaml", ["training.epochs=40"]).config

    def read_settings(n_examples: int, epochs: int | None = None) -> tuple[str, str]:
        overrides = build_affinity_trial(config, n_examples, epochs, data).overrides
        return overrides[0].split("every_n_steps: ")[1].split(",")[0], overrides[1].removeprefix("training.epochs=")

    assert read_settings(32 * 100) == ("5", "8")
    assert read_settings(32 * 10) == ("1", "15")
    assert read_settings(32) == ("1", "20")
    assert read_settings(32 * 100, 3) == ("2", "3")


def test_damaged_file_is_named(tmp_path: Path, grouped: tuple[Path, str]) -> None:
    content = json.loads((grouped[0] / "groups.json").read_text(encoding="utf-8"))
    content["networks"].append(content["networks"][0])
    path = tmp_path / "groups.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MtlError, match=r"groups\.json: damaged: expected each task in one network"):
        TaskGroups.read(path)


def test_settings_of_other_tasks_are_left_out(data: Path) -> None:
    """A group cannot select epochs by a task, or load heads of tasks, that it does not train."""
    config = load_experiment(
        data / "planted.yaml", ["training.select={aggregation: task003}", "interactions={every_n_steps: 5}"]
    ).config
    tasks = [f"task{index:03}" for index in range(4)]
    overrides = build_group_overrides(config, tasks[:2], tasks)
    assert overrides == [
        "active_tasks=[task000, task001]",
        "interactions=null",
        "training.select.aggregation=null",
    ]
    assert build_group_overrides(config, tasks[2:], tasks)[1:] == ["interactions=null"]
    assert build_group_overrides(config, tasks, tasks) == ["interactions=null"]
    assert np.all([load_experiment(data / "planted.yaml", overrides).config.active_tasks == tasks[:2]])


@pytest.mark.parametrize("reason", ["data sets", "architecture"])
def test_tasks_without_common_features_are_compared_at_parameters(
    data: Path, tmp_path: Path, mtl: Any, reason: str
) -> None:
    """Tasks of two data sets, and features per task."""
    experiment = yaml.safe_load((data / "planted.yaml").read_text(encoding="utf-8"))
    if reason == "data sets":
        experiment["data_sets"] = dict.fromkeys(("first", "second"), experiment["data"])
        del experiment["data"]
        experiment["tasks"] = [
            {"name": f"task00{index}", "kind": "binary", "head": "linear", "data": [name]}
            for index, name in enumerate(("first", "first", "second"))
        ]
    else:
        experiment["architecture"] = {"type": "mmoe", "experts": 2}
    path = data / "other.yaml"
    path.write_text(yaml.safe_dump(experiment), encoding="utf-8")
    result = mtl("group", path, "--networks", "2", "--affinity-only", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "gradients at the shared parameters" in result.stdout
    assert TaskGroups.read(tmp_path / "out" / "groups.json").gradients == "parameters"
