"""Comparisons of many tasks: networks that are trained at once, subsets of tasks, and summaries."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from json_values import check_close
from many_tasks import write_many_tasks
from rich.console import Console

from mtl_core.artifacts.comparison import Comparison
from mtl_core.artifacts.comparison_summary import summarize_differences
from mtl_core.cli.app import main
from mtl_core.cli.compare_summary_tables import build_ranked_tables, build_verdict_table
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.compare.network_batches import find_config_obstacle, split_names
from mtl_core.experiments.compare.plan import Plan, build_plan
from mtl_core.experiments.compare.plan_text import describe_plan
from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection
from mtl_core.reporting.comparison.page import build_comparison_page
from mtl_core.reporting.figures.palette import PAGE
from mtl_core.reporting.figures.style import plot_style
from mtl_core.reporting.html_page import render_html

FEW = {"type": "many-tasks", "rows": 60, "test_rows": 60, "tasks": 3, "rates": [1.0, 0.6, 0.4]}
MANY = {"type": "many-tasks", "rows": 60, "test_rows": 60, "tasks": 22, "rates": [1.0, 0.6]}
FAST = {"epochs": 2, "batch_size": 16}


def compare(path: Path, out: Path, *options: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(path), "--seeds", "2", "--jobs", "1", "--out", str(out), *options])
    assert stop.value.code == 0


def list_runs(out: Path) -> list[str]:
    return sorted(path.parent.name for path in out.glob("*/metrics.json"))


def plan_comparison(path: Path, **options: Any) -> Plan:
    selection = SingleTaskSelection(**options)
    return build_plan(ExperimentFile(str(path)), [], load_experiment(path), 1, None, [], path.parent / "out", selection)


# ── both ways to train single-task networks ──


@pytest.mark.usefixtures("placeholder_reports")
def test_comparison_is_the_same_with_networks_trained_at_once(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, data=FEW, training={**FAST, "select": {"metric": "macro_f1"}})
    compare(path, tmp_path / "batched", "--batched")
    compare(path, tmp_path / "separate", "--separate")
    # The two ways differ: two trainings of three networks each, or six trainings.
    assert list_runs(tmp_path / "batched") == [
        *(f"multi-task-seed{seed}" for seed in (1, 2)),
        *(f"single-task-networks-1-seed{seed}" for seed in (1, 2)),
    ]
    assert list_runs(tmp_path / "separate") == [
        *(f"multi-task-seed{seed}" for seed in (1, 2)),
        *(f"single-task-t{task}-seed{seed}" for task in range(3) for seed in (1, 2)),
    ]
    batched, separate = (
        json.loads((tmp_path / name / "comparison.json").read_text(encoding="utf-8"))
        for name in ("batched", "separate")
    )
    for comparison in (batched, separate):
        for variant in comparison["variants"]:
            for key in ("train_s", "inference_ms", "runs"):
                del variant[key]
    check_close(batched, separate)


@pytest.mark.usefixtures("placeholder_reports")
@pytest.mark.parametrize("data", [FEW, MANY], ids=["few", "many"])
def test_tasks_without_test_labels_have_no_verdict(tmp_path: Path, data: dict[str, Any]) -> None:
    path = write_many_tasks(tmp_path, data={**data, "untested": 1}, training={**FAST, "epochs": 1})
    compare(path, tmp_path / "out")
    name = f"t{data['tasks'] - 1}"
    for run in ("multi-task-seed1", "multi-task-seed2"):
        metrics = json.loads((tmp_path / "out" / run / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["splits"]["test"]["tasks"][name]["n"] == 0
    comparison = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert comparison["variants"]


@pytest.mark.usefixtures("placeholder_reports")
def test_mean_over_tasks_leaves_out_tasks_of_unknown_variance(tmp_path: Path) -> None:
    kind = {"type": "binary", "metrics": ["roc-auc"]}
    tasks = [{"each": "*", "kind": kind, "head": "linear"}]
    path = write_many_tasks(tmp_path, data={**FEW, "single": True}, training=FAST, tasks=tasks)
    compare(path, tmp_path / "out")
    variant = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))["variants"][0]
    assert variant["tasks"]["t0"]["mean"] is not None
    assert variant["tasks"]["t0"]["low"] is None  # without the only positive label, the area is undefined
    others = [variant["tasks"][name]["mean"] for name in ("t1", "t2")]
    assert variant["overall"]["mean"] == pytest.approx(sum(others) / 2)
    assert variant["overall"]["low"] < variant["overall"]["mean"] < variant["overall"]["high"]


# ── many tasks ──


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison of 22 tasks."""
    folder = tmp_path_factory.mktemp("many")
    compare(write_many_tasks(folder, data=MANY, training=FAST), folder / "out")
    return folder


def test_networks_of_many_tasks_are_trained_at_once(many: Path) -> None:
    assert list_runs(many / "out") == [
        *(f"multi-task-seed{seed}" for seed in (1, 2)),
        *(f"single-task-networks-1-seed{seed}" for seed in (1, 2)),
    ]


@pytest.mark.usefixtures("complete_reports")
@pytest.mark.parametrize(
    "command",
    [
        ["predict", "RUN", "text"],
        ["evaluate", "RUN", "--data", "many.csv"],
        ["report", "RUN"],
        ["serve", "RUN", "--port", "0"],
        ["resume", "RUN"],
        ["extend", "RUN", "--task", "late"],
        ["interactions", "RUN"],
        ["compare", "RUN", "RUN"],
    ],
    ids=lambda command: command[0],
)
def test_networks_that_were_trained_at_once_are_no_run(many: Path, mtl: Any, command: list[str]) -> None:
    run = many / "out" / "single-task-networks-1-seed1"
    before = sorted(run.iterdir())
    result = mtl(*(str(run) if word == "RUN" else word for word in command))
    assert result.returncode == 2
    assert result.stderr.strip().splitlines() == [
        f"error: {run}: contains 22 independent networks, which were trained at once for a comparison, and not one "
        "network; train the network of one task in a run of its own: "
        f'`mtl run {run}/config.yaml --set "active_tasks=[t0]" --out NEW`'
    ]
    assert sorted(run.iterdir()) == before


def test_folder_of_a_comparison_lists_its_runs(many: Path, mtl: Any) -> None:
    result = mtl("predict", many / "out", "text")
    assert result.returncode == 2
    assert result.stderr.rstrip().endswith(
        "not a run directory (it contains no config.yaml); runs in it: multi-task-seed1, multi-task-seed2, "
        "single-task-networks-1-seed1 and 1 more"
    )


def test_finished_networks_are_not_trained_again(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = many / "out" / "single-task-networks-1-seed1" / "networks.safetensors"
    before = path.stat().st_mtime_ns
    compare(many / "many.yaml", many / "out")
    assert path.stat().st_mtime_ns == before
    assert (
        "4 trainings with 2 seeds (multi-task: 1, single-task: 1 each), of which 4 are finished"
        in capsys.readouterr().err
    )


def test_terminal_summarizes_many_tasks(many: Path, mtl: Any) -> None:
    result = mtl("compare", many / "many.yaml", "--seeds", "2", "--jobs", "1", "--out", many / "out")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) <= 40
    comparison = Comparison.read(many / "out" / "comparison.json")
    variant = next(one for one in comparison.variants if one.kind == "multi-task")
    summary = summarize_differences(comparison, variant)
    assert summary is not None
    assert sum(summary.counts.values()) == 22
    assert f"of 22 tasks, improved {summary.counts['improved']}, degraded" in result.stdout
    for ranked in (summary.improvements, summary.degradations):
        means = [abs(one.difference.mean or 0.0) for one in ranked]
        assert means == sorted(means, reverse=True)
        assert len(means) <= 10
        assert all(one.task in result.stdout for one in ranked)
    differences = variant.differences_from_reference or {}
    means = [differences[task].mean or 0.0 for task in comparison.tasks]
    assert summary.improvements[0].difference.mean == max(means)
    assert summary.degradations[0].difference.mean == min(means)
    assert variant.mean_difference is not None
    assert variant.mean_difference.mean == pytest.approx(sum(means) / len(means))


def test_tables_fit_a_terminal_of_80_columns(many: Path) -> None:
    comparison = Comparison.read(many / "out" / "comparison.json")
    console = Console(width=80, record=True)
    for table in (build_verdict_table(comparison), *build_ranked_tables(comparison)):
        console.print(table)
    assert "…" not in console.export_text()


def test_files_and_page_contain_all_tasks_or_a_summary(many: Path) -> None:
    with (many / "out" / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["task"] for row in rows} == {*(f"t{task}" for task in range(22)), "overall"}
    latex = (many / "out" / "comparison.tex").read_text(encoding="utf-8")
    assert "improved & degraded & practically equal & not resolved" in latex
    assert "t21" not in latex
    with plot_style(PAGE):
        page = render_html(build_comparison_page(Comparison.read(many / "out" / "comparison.json"), None, PAGE))
    assert "One network for all tasks against single-task learning: of 22 tasks," in page
    assert 'type="search"' in page
    assert all(f">t{task}<" in page for task in range(22))


# ── the plan ──


def test_batches_are_of_nearly_equal_size() -> None:
    names = [f"t{index}" for index in range(617)]
    batches = split_names(names, 128)
    assert [len(batch) for batch in batches] == [124, 124, 124, 124, 121]
    assert [name for batch in batches for name in batch] == names


def test_plan_states_trainings_memory_and_time(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, data=MANY, training=FAST)
    sentences = describe_plan(plan_comparison(path), 2)
    assert sentences[0] == "2 trainings with 1 seed (multi-task: 1, single-task: 1 each)"
    assert sentences[1].startswith("the single-task networks of 22 tasks are trained at once, in 1 batch of up to 22")
    assert "with 2 in parallel" in sentences[2]
    separate = plan_comparison(path, batched=False)
    assert describe_plan(separate, 2) == ["23 trainings with 1 seed (multi-task: 1, single-task: 22 each)"]


def test_few_tasks_are_trained_in_a_run_each(tmp_path: Path) -> None:
    plan = plan_comparison(write_many_tasks(tmp_path, data=FEW))
    assert [trial.independent for trial in plan.trials] == [False] * 4


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ({"optimizer": {"type": "sgd"}, "training": {"refit": True}}, "training.refit is computed for one network"),
        ({"training": {"r_drop": 1.0}}, "training.r_drop"),
        ({"training": {"precision": "bf16"}}, "training.precision: bf16"),
        ({"training": {"lr_multipliers": {"trunk.*": 0.1}}}, "training.lr_multipliers"),
        ({"backbone": "batch-norm"}, "a layer computes the examples of a batch together"),
        ({"backbone": "random"}, "torch.vmap cannot compute a layer (vmap: called random operation"),
    ],
)
def test_networks_that_cannot_be_trained_at_once_are_trained_in_a_run_each(
    tmp_path: Path, blocks: dict[str, Any], reason: str
) -> None:
    path = write_many_tasks(tmp_path, **{"data": MANY, **blocks})
    plan = plan_comparison(path)
    assert not any(trial.independent for trial in plan.trials)
    assert reason in describe_plan(plan, 1)[-1]
    with pytest.raises(MtlError, match="--batched: the single-task networks cannot be trained at once"):
        plan_comparison(path, batched=True)


def test_dropout_on_a_gpu_is_an_obstacle(tmp_path: Path) -> None:
    config = load_experiment(write_many_tasks(tmp_path)).config
    assert find_config_obstacle(config, uses_gpu=False) == ""
    assert "dropout on a GPU" in find_config_obstacle(config, uses_gpu=True)


# ── subsets ──


def test_patterns_select_tasks(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, data=MANY, training=FAST)
    plan = plan_comparison(path, entries=["t1?", "t3"])
    assert plan.tasks == ["t3", *(f"t1{digit}" for digit in range(10))]
    assert len(plan.trials) == 12
    assert plan.variants[0].training_specs[0].experiment.config.active_tasks is None  # all tasks are trained together
    with pytest.raises(MtlError, match=r"--single: no task matches 'u1\*'; nearest: t1"):
        plan_comparison(path, entries=["u1*"])


def test_a_sample_is_drawn_from_the_seed(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, data=MANY, training=FAST)
    tasks = plan_comparison(path, n_sampled=5).tasks
    assert len(tasks) == 5
    assert tasks == plan_comparison(path, n_sampled=5).tasks
    assert tasks == sorted(tasks, key=lambda name: int(name[1:]))
    assert tasks != SingleTaskSelection(n_sampled=5).select([f"t{task}" for task in range(22)], seed=2)
    with pytest.raises(MtlError, match="--single-sample 5: there are only 2 tasks to draw from"):
        plan_comparison(path, entries=["t1", "t2"], n_sampled=5)


@pytest.mark.usefixtures("placeholder_reports")
def test_only_selected_tasks_are_compared(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, data=FEW, training=FAST)
    compare(path, tmp_path / "out", "--single", "t[02]", "--batched")
    comparison = Comparison.read(tmp_path / "out" / "comparison.json")
    assert list(comparison.tasks) == ["t0", "t2"]
    metrics = json.loads((tmp_path / "out" / "multi-task-seed1" / "metrics.json").read_text(encoding="utf-8"))
    assert list(metrics["splits"]["test"]["tasks"]) == ["t0", "t1", "t2"]
