"""`mtl group --apart`: single-task networks that are trained at once give the scores of separate trainings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from json_values import check_close
from planted import planted_groups
from safetensors.torch import load_file, save_file

from mtl_core.artifacts.comparison import Comparison
from mtl_core.artifacts.groups import TaskGroups
from mtl_core.artifacts.network_files import get_networks_file
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import load_experiment
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.network_batches import plan_networks
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.compare.plan_text import describe_plan
from mtl_core.experiments.group.plan import build_group_plan
from mtl_core.experiments.group.run_group import FEWER_NETWORKS
from mtl_core.runs.batched_networks.evaluation import load_networks
from mtl_core.runs.saved_outputs import TaskOutputs, read_outputs

pytestmark = pytest.mark.usefixtures("placeholder_reports")

TINY = planted_groups.PlantedGroups(n_tasks=5, n_groups=2, n_examples=160, n_inputs=5, n_hidden=1, missing=0.3)
MANY = planted_groups.PlantedGroups(n_tasks=22, n_groups=2, n_examples=120, n_inputs=5, n_hidden=1, missing=0.3)
OPTIONS = ("--networks", "2", "--seeds", "2", "--jobs", "1", "--set", "optimizer.lr=0.02", "--apart")
WAYS = ("batched", "separate")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("apart")
    planted_groups.write_planted_groups(folder, TINY, 0, epochs=2, width=8)
    return folder


@pytest.fixture(scope="module")
def outs(data: Path, mtl_uncaptured: Any) -> dict[str, Path]:
    """The output directories of two commands: networks trained at once, and one after the other."""
    folders = {way: data / way for way in WAYS}
    for way, folder in folders.items():
        result = mtl_uncaptured("group", data / "planted.yaml", *OPTIONS, f"--{way}", "--out", folder)
        assert result.returncode == 0, result.stderr
    return folders


def list_runs(folder: Path) -> set[str]:
    return {path.parent.name.rsplit("-seed", 1)[0] for path in folder.glob("*-seed*/metrics.json")}


def test_ways_differ_in_the_number_of_trainings(outs: dict[str, Path]) -> None:
    groups = TaskGroups.read(outs["batched"] / "groups.json").networks
    assert len(groups) == 2
    division = {"together"} | {f"group-{number}" for number in range(1, len(groups) + 1)}
    single = {f"task-{number}" for number in range(1, 6)}
    assert list_runs(outs["batched"]) == {"affinity", *division, "apart-networks-1"}
    shared = [task for group in groups if len(group) == 1 for task in group]
    assert list_runs(outs["separate"]) == {"affinity", *division, *single} - {f"task-{int(t[4:]) + 1}" for t in shared}
    for way, count in (("batched", 1), ("separate", 5)):
        apart = Comparison.read(outs[way] / "comparison.json").variants[-1]
        assert (apart.name, len(apart.runs)) == ("apart", 2 * count)


def test_test_split_is_evaluated_after_training(outs: dict[str, Path]) -> None:
    for folder, split_names in (
        (outs["batched"], {"validation"}),
        (outs["batched"] / "test", {"validation", "test"}),
    ):
        metrics = json.loads((folder / "apart-networks-1-seed42" / "metrics.json").read_text(encoding="utf-8"))
        assert set(metrics["splits"]) == split_names


@pytest.mark.parametrize("split_name", ["validation", "test"])
def test_comparisons_agree(outs: dict[str, Path], split_name: str) -> None:
    folder = "validation/" if split_name == "validation" else ""
    batched, separate = (
        json.loads((outs[way] / f"{folder}comparison.json").read_text(encoding="utf-8")) for way in WAYS
    )
    read = Comparison.read(outs["batched"] / f"{folder}comparison.json")
    assert read.split_name == split_name
    for comparison in (batched, separate):
        for variant in comparison["variants"]:
            for key in ("train_s", "inference_ms", "runs"):
                del variant[key]
    check_close(batched, separate)


def test_test_outputs_are_those_of_the_best_epochs_of_separate_networks(outs: dict[str, Path]) -> None:
    split_name, outputs = read_outputs(RunDirectory(outs["batched"] / "test" / "apart-networks-1-seed43"))
    assert split_name == "test"
    compared = {}
    for path in (outs["separate"] / "test").glob("*-seed43"):
        one_split, expected = read_outputs(RunDirectory(path))
        assert one_split == "test"
        if len(expected) > 1:
            continue
        ((task, other),) = expected.items()
        own = outputs[task]
        assert isinstance(own, TaskOutputs)
        assert isinstance(other, TaskOutputs)
        assert torch.equal(own.examples, other.examples)
        assert torch.equal(own.targets, other.targets)
        assert torch.allclose(own.outputs, other.outputs, rtol=0, atol=1e-5)
        compared[task] = own.outputs
    assert set(compared) == set(outputs) == {f"task{index:03}" for index in range(5)}
    assert len({round(float(one.std()), 4) for one in compared.values()}) == 5, "networks do not differ"


def test_command_continues_without_training_networks_again(outs: dict[str, Path], data: Path, mtl: Any) -> None:
    paths = [
        outs["batched"] / "apart-networks-1-seed42" / "networks.safetensors",
        outs["batched"] / "test" / "apart-networks-1-seed42" / "outputs.safetensors",
    ]
    before = [path.stat().st_mtime_ns for path in paths]
    result = mtl("group", data / "planted.yaml", *OPTIONS, "--batched", "--out", outs["batched"])
    assert result.returncode == 0, result.stderr
    assert [path.stat().st_mtime_ns for path in paths] == before
    n_trials = len(list_runs(outs["batched"]) - {"affinity"}) * 2
    assert f"plan: {n_trials} trainings with 2 seeds (together: 1, grouped: 2, apart: 1 each)" in result.stderr
    assert f"of which {n_trials} are finished" in result.stderr


@pytest.mark.parametrize(
    ("experiment", "overrides", "message"),
    [
        ("batched", [], None),
        ("batched", ["backbone.hidden_dims=[9]"], "these weights do not fit the run's config"),
        ("separate", [], r"the run is incomplete: networks\.safetensors is missing"),
    ],
)
def test_networks_are_loaded_or_named(
    outs: dict[str, Path], experiment: str, overrides: list[str], message: str | None
) -> None:
    name = "apart-networks-1" if experiment == "batched" else "together"
    run = RunDirectory(outs[experiment] / f"{name}-seed42")
    config = load_experiment(run.config, overrides).config
    if message is None:
        state = load_networks(run, config, prepare(config)).state_dict()
        assert_same_tensors(state, load_file(get_networks_file(run)))
        return
    with pytest.raises(MtlError, match=message):
        load_networks(run, config, prepare(config))


def test_weights_that_are_not_trained_are_loaded(outs: dict[str, Path], tmp_path: Path) -> None:
    run = RunDirectory(outs["batched"] / "apart-networks-1-seed42")
    tensors = {key: value + 1 for key, value in load_file(get_networks_file(run)).items()}
    assert any(not key.startswith("networks.") for key in tensors)
    save_file(tensors, get_networks_file(RunDirectory(tmp_path)))
    config = load_experiment(run.config).config
    assert_same_tensors(load_networks(RunDirectory(tmp_path), config, prepare(config)).state_dict(), tensors)


def assert_same_tensors(actual: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert actual.keys() == expected.keys()
    assert all(torch.equal(actual[key], expected[key]) for key in expected)


# ── more than 20 tasks ──


def plan_many(folder: Path, overrides: list[str]) -> Plan:
    planted_groups.write_planted_groups(folder, MANY, 0, epochs=1, width=8)
    source = ExperimentFile(str(folder / "planted.yaml"))
    base = source.load(overrides)
    tasks = [f"task{index:03}" for index in range(22)]
    networks = plan_networks(source, overrides, base, tasks, None)
    return build_group_plan(source, overrides, base, tasks, [tasks[:11], tasks[11:]], 1, networks, folder / "out")


def test_many_tasks_are_trained_at_once_by_default(tmp_path: Path, mtl: Any) -> None:
    plan = plan_many(tmp_path, [])
    assert [trial.variant for trial in plan.trials] == ["apart-networks-1", "together", "group-1", "group-2"]
    assert [trial.independent for trial in plan.trials] == [True, False, False, False]
    out = tmp_path / "groups"
    options = ("--networks", "2", "--seeds", "1", "--jobs", "1", "--apart", "--out", out)
    result = mtl("group", tmp_path / "planted.yaml", *options)
    assert result.returncode == 0, result.stderr
    assert "the single-task networks of 22 tasks are trained at once, in 1 batch" in result.stderr
    assert not any(name.startswith("task-") for name in list_runs(out))
    comparison = Comparison.read(out / "comparison.json")
    assert comparison.split_name == "test"
    assert len(comparison.tasks) == 22
    assert len(result.stdout.splitlines()) <= 40


def test_fallback_states_its_reason(tmp_path: Path) -> None:
    plan = plan_many(tmp_path, ["training.refit=true"])
    assert len(plan.trials) == 1 + 2 + 22
    assert not any(trial.independent for trial in plan.trials)
    assert describe_plan(plan, 1, FEWER_NETWORKS)[-1] == (
        "22 single-task networks are trained in a run each, since training.refit is computed for one network only; "
        "--no-apart trains none of them"
    )
