"""`mtl compare` end to end, on toy data."""

import csv
import json
import os
import shutil
import signal
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import halting_components
import numpy as np
import pytest
import toy
from safetensors.torch import load_file, save_file
from toy import write_experiment

from mtl_core.artifacts.comparison import (
    Comparison,
    DeltaM,
    Difference,
    Estimate,
    Family,
    FamilyName,
    MeasuredTask,
    VariantSummary,
)
from mtl_core.cli.app import main
from mtl_core.config.load import load_experiment
from mtl_core.experiments.compare.run_outputs import LabelledOutputs, read_run
from mtl_core.experiments.compare.summary_text import summarize
from mtl_core.experiments.output_dir import lock_folder
from mtl_core.statistics.verdicts import Verdict

pytestmark = pytest.mark.usefixtures("placeholder_reports")

DATA = {"type": "toy", "rows": 40, "test_rows": 40, "labelled": 0.5}
FAST: dict[str, Any] = {"data": DATA, "split": "random", "training": {"epochs": 2, "batch_size": 8}}
OPTIONS = ("--seeds", "2", "--variant", "weighting=label-count,sum")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    write_experiment(path, **FAST)
    return path


@pytest.fixture(scope="module")
def out(folder: Path) -> Path:
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(folder / "toy.yaml"), *OPTIONS, "--jobs", "1", "--out", str(folder / "out")])
    assert stop.value.code == 0
    return folder / "out"


def read_comparison(path: Path) -> dict[str, Any]:
    comparison: dict[str, Any] = json.loads((path / "comparison.json").read_text(encoding="utf-8"))
    return comparison


def read_reproducible_results(path: Path) -> dict[str, Any]:
    """Return the comparison without times."""
    comparison = read_comparison(path)
    for variant in comparison["variants"]:
        del variant["train_s"], variant["inference_ms"]
    return comparison


def read_metrics(run: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return metrics


# ── results ──


def test_scores_equal_those_of_the_runs(out: Path) -> None:
    comparison = read_comparison(out)
    assert (comparison["seeds"], comparison["folds"], comparison["split_name"], comparison["examples"]) == (
        [1, 2],
        None,
        "test",
        40,
    )
    variants = {variant["name"]: variant for variant in comparison["variants"]}
    assert list(variants) == ["multi-task", "single-task", "weighting=label-count", "weighting=sum", "majority"]
    for task, task_result in comparison["tasks"].items():
        assert (task_result["metric"], task_result["higher_is_better"]) == ("accuracy", True)
        for name, folders in (("multi-task", "multi-task"), ("single-task", f"single-task-{task}")):
            runs = [read_metrics(out / f"{folders}-seed{seed}")["splits"]["test"]["tasks"][task] for seed in (1, 2)]
            assert variants[name]["tasks"][task]["seeds"] == [run["accuracy"] for run in runs]
            assert [run["n"] for run in runs] == [task_result["n"]] * 2
            if name == "multi-task":
                majority = [run["majority_accuracy"] for run in runs]
                assert variants["majority"]["tasks"][task]["seeds"] == majority
    overall_scores = [
        read_metrics(out / f"multi-task-seed{seed}")["splits"]["test"]["overall"]["accuracy"] for seed in (1, 2)
    ]
    assert variants["multi-task"]["overall"]["seeds"] == pytest.approx(overall_scores)
    assert variants["multi-task"]["overall"]["mean"] == pytest.approx(sum(overall_scores) / 2)


def test_intervals_contain_the_mean_and_verdicts_need_interval_and_test(out: Path) -> None:
    comparison = read_comparison(out)
    sizes: Counter[str] = Counter()
    for variant in comparison["variants"]:
        for estimate in [*variant["tasks"].values(), variant["overall"]]:
            assert estimate["low"] <= estimate["mean"] <= estimate["high"]
        if variant["name"] == "single-task":
            assert variant["differences_from_reference"] is None
            assert variant["delta_m"] is None
            continue
        for contrast in ("differences_from_reference", "differences_from_equal_weights"):
            for task, difference in (variant[contrast] or {}).items():
                _check_verdict(difference, 0.01)
                expected_family = "overall" if task == "overall" else "tasks"
                assert difference["family"] == ("baseline" if variant["name"] == "majority" else expected_family)
                sizes[difference["family"]] += 1
                assert len(difference["seeds"]) == 2
    assert {name: family["size"] for name, family in comparison["families"].items()} == sizes
    assert {family["correction"] for family in comparison["families"].values()} == {"holm"}


def _check_verdict(difference: dict[str, Any], margin: float) -> None:
    """Check that the verdict follows from the interval, the corrected p-value and the margin."""
    low, high = difference["low"], difference["high"]
    assert difference["p_value"] <= difference["adjusted_p_value"] <= 1
    if difference["verdict"] == "practically equal":
        assert -margin <= low <= high <= margin
    elif (low > 0 or high < 0) and difference["adjusted_p_value"] <= 0.05:
        assert difference["verdict"] == ("improved" if low > 0 else "degraded")
    else:
        assert difference["verdict"] == "not resolved"


def test_delta_m_follows_from_the_written_scores(out: Path) -> None:
    variants = {variant["name"]: variant for variant in read_comparison(out)["variants"]}
    single_means = {task: estimate["mean"] for task, estimate in variants["single-task"]["tasks"].items()}
    for name in ("multi-task", "weighting=label-count", "majority"):
        variant_means = {task: estimate["mean"] for task, estimate in variants[name]["tasks"].items()}
        delta_m = 100 * np.mean(
            [(variant_means[task] - single_means[task]) / single_means[task] for task in single_means]
        )
        assert variants[name]["delta_m"]["mean"] == pytest.approx(delta_m)


def test_single_task_costs_are_sums_over_networks(out: Path) -> None:
    variants = {variant["name"]: variant for variant in read_comparison(out)["variants"]}
    single = variants["single-task"]
    assert single["runs"] == [f"single-task-t{task}-seed{seed}" for seed in (1, 2) for task in range(3)]
    runs = [read_metrics(out / run) for run in single["runs"]]
    assert single["parameters"] == sum(run["model"]["parameters"] for run in runs[:3])
    for key in ("train_s", "inference_ms"):
        sums = [sum(run["timing"][key] for run in runs[start : start + 3]) for start in (0, 3)]
        assert single[key] == pytest.approx(np.median(sums))
    assert (variants["majority"]["parameters"], variants["majority"]["runs"]) == (0, [])


def test_variants_whose_experiments_are_equal_share_their_runs(out: Path) -> None:
    variants = {variant["name"]: variant for variant in read_comparison(out)["variants"]}
    assert variants["weighting=sum"]["runs"] == variants["multi-task"]["runs"]
    assert variants["weighting=sum"]["tasks"] == variants["multi-task"]["tasks"]
    assert len(list(out.glob("*/config.yaml"))) == 2 * (1 + 3 + 1)


def test_csv_has_the_scores_of_the_json(out: Path) -> None:
    with (out / "comparison.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    comparison = read_comparison(out)
    assert len(rows) == 4 * 5
    for variant in comparison["variants"]:
        for task, estimate in {**variant["tasks"], "overall": variant["overall"]}.items():
            row = next(row for row in rows if (row["task"], row["variant"]) == (task, variant["name"]))
            assert float(row["mean"]) == estimate["mean"]
            assert [float(row[f"seed_{seed}"]) for seed in (1, 2)] == estimate["seeds"]
            if variant["differences_from_reference"]:
                assert float(row["difference_low"]) == variant["differences_from_reference"][task]["low"]
                assert row["verdict"] == variant["differences_from_reference"][task]["verdict"]


def test_the_latex_table_is_well_formed(out: Path) -> None:
    text = (out / "comparison.tex").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    body_lines = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body_lines) == 5
    assert {line.count(" & ") for line in body_lines} == {5}
    assert all(line.endswith(r"\\") for line in body_lines)
    assert body_lines[2].startswith("weighting=label-count & 0.")


@pytest.mark.usefixtures("complete_reports")
def test_terminal_prints_scores_costs_and_summary(out: Path, folder: Path, mtl: Any) -> None:
    result = mtl("compare", folder / "toy.yaml", *OPTIONS, "--out", out)
    assert result.returncode == 0, result.stderr
    for text in ("t0 (accuracy, n=", "95 % interval", "against single-task", "mean relative gain", "majority"):
        assert text in result.stdout
    for sentence in read_comparison(out)["summary"]:
        assert sentence in result.stdout
    assert "weighting=label-count against multi-task: " in result.stdout
    assert "corrected for 15 differences of single tasks and 5 differences of the score over all tasks (Holm)" in (
        result.stdout
    )
    assert "Practically equal: the interval is within ±0.01 (--margin)." in result.stdout
    assert (
        "With 2 seeds, what another training would give is almost unknown; the first of 15 differences" in result.stdout
    )
    assert f"{out}: comparison.json, comparison.csv and comparison.tex written" in result.stdout
    assert "weighting=label-count" in (out / "report.html").read_text(encoding="utf-8")


# ── training and resuming ──


def test_comparison_resumes_without_retraining(out: Path, folder: Path, mtl: Any) -> None:
    before = read_reproducible_results(out)
    stamps = {path.parent: path.stat().st_mtime_ns for path in out.glob("*/metrics.json")}
    removed_run = out / "single-task-t1-seed2"
    shutil.rmtree(removed_run)
    result = mtl("compare", folder / "toy.yaml", *OPTIONS, "--jobs", "1", "--out", out)
    assert result.returncode == 0, result.stderr
    assert read_reproducible_results(out) == before
    for run, stamp in stamps.items():
        assert (run == removed_run) == ((run / "metrics.json").stat().st_mtime_ns != stamp)


def test_seeds_and_variants_can_be_added_but_nothing_else_can_be_changed(
    out: Path, folder: Path, tmp_path: Path, mtl: Any
) -> None:
    copy = Path(shutil.copytree(out, tmp_path / "copy"))
    options = (
        "--seeds",
        "3",
        "--variant",
        "weighting=label-count",
        "--jobs",
        "1",
        "--out",
        copy,
    )
    assert mtl("compare", folder / "toy.yaml", *options).returncode == 0
    comparison, old_comparison = read_comparison(copy), read_comparison(out)
    assert comparison["seeds"] == [1, 2, 3]
    for new_variant, old_variant in zip(comparison["variants"], old_comparison["variants"], strict=False):
        if new_variant["name"] == old_variant["name"]:
            assert new_variant["tasks"]["t0"]["seeds"][:2] == old_variant["tasks"]["t0"]["seeds"]
    result = mtl("compare", folder / "toy.yaml", "--set", "training.epochs=3", "--out", out)
    assert result.returncode == 2
    assert f"{out}: exists already, but not from the same comparison; choose another --out" in result.stderr
    result = mtl("compare", folder / "toy.yaml", "--out", folder)
    assert "not from the same comparison" in result.stderr


def test_interrupted_comparison_with_two_processes_has_the_scores_of_one_process(
    tmp_path: Path, mtl: Any, mtl_fork: Any
) -> None:
    pause_file, two = tmp_path / "gate", tmp_path / "two"
    pause_file.touch()
    blocks: dict[str, Any] = {
        "data": {**DATA, "tasks": 2},
        "split": "random",
        "plugins": [toy.__file__, halting_components.__file__],
        "backbone": {"type": "halting", "pause_file": str(pause_file), "runs": str(two), "pause_after_steps": 4},
        "training": {"epochs": 4, "batch_size": 8},
    }
    path = write_experiment(tmp_path, **blocks)
    words = ["compare", str(path), "--seeds", "2"]
    process = mtl_fork(tmp_path / "log", *words, "--jobs", "2", "--out", two)

    def find_paused_runs() -> list[Path]:
        """Return the paused runs: after a complete run, each process pauses in its next run, after an epoch."""
        return [run for run in two.glob("*/checkpoint.safetensors") if not run.with_name("metrics.json").exists()]

    deadline = time.monotonic() + 300
    while (not list(two.glob("*/metrics.json")) or len(find_paused_runs()) < 2) and process.is_alive():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # like a terminal: to every process of the group
    process.join(60)
    log_text = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.exitcode == 130, log_text
    assert "interrupted; finished runs stay: the same command with `--out" in log_text
    assert "Traceback" not in log_text
    finished = {run: run.stat().st_mtime_ns for run in two.glob("*/metrics.json")}
    assert finished
    assert find_paused_runs(), "no training was interrupted in the middle"
    pause_file.unlink()
    for name in ("two", "one"):
        result = mtl(*words, "--jobs", "1", "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
    assert {run: run.stat().st_mtime_ns for run in finished} == finished
    assert read_reproducible_results(two) == read_reproducible_results(tmp_path / "one")


def test_only_one_comparison_at_a_time_works_in_a_folder(out: Path, folder: Path, mtl: Any) -> None:
    with lock_folder(out):
        result = mtl("compare", folder / "toy.yaml", *OPTIONS, "--out", out)
    assert result.returncode == 2
    assert f"{out}: another process is using this folder" in result.stderr


# ── folds, seeds, tasks of other kinds ──


def test_folds_test_every_training_example_once_per_seed(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, **{**FAST, "data": {**DATA, "tasks": 2}})
    options = ("--folds", "2", "--seeds", "2", "--jobs", "1", "--out", tmp_path / "out")
    result = mtl("compare", path, *options)
    assert result.returncode == 0, result.stderr
    assert "each held out once in 2 folds" in result.stdout
    comparison = read_comparison(tmp_path / "out")
    assert (comparison["folds"], comparison["split_name"], comparison["examples"]) == (2, "test", 40)
    config = load_experiment(path)
    for seed in (1, 2):
        runs = [read_run(tmp_path / "out" / f"multi-task-seed{seed}-fold{fold}", config) for fold in (0, 1)]
        test_ids = [set(run.ids.tolist()) for run in runs]
        assert test_ids[0] | test_ids[1] == {f"r{row}" for row in range(40)}
        assert not test_ids[0] & test_ids[1]
        finding = "the test split of the data (40 examples) is not used: the held-out fold is the test split"
        assert finding in read_metrics(runs[0].path)["data"]["warnings"]
        hits = [read_metrics(run.path)["splits"]["test"]["tasks"]["t0"] for run in runs]
        pooled = sum(hit["correct"] for hit in hits) / sum(hit["n"] for hit in hits)
        reported_score = comparison["variants"][0]["tasks"]["t0"]["seeds"][seed - 1]
        assert reported_score == pytest.approx(pooled)


def test_one_seed_and_validation_data_are_reported(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, **{**FAST, "data": {"type": "toy", "tasks": 2, "labelled": 0.9}})
    result = mtl("compare", path, "--seeds", "1", "--jobs", "1", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert read_comparison(tmp_path / "out")["split_name"] == "validation"
    assert "but not over seeds: there is one, so no difference is resolved. Use --seeds 5." in result.stdout
    verdicts = {
        difference["verdict"]
        for variant in read_comparison(tmp_path / "out")["variants"]
        for difference in (variant["differences_from_reference"] or {}).values()
    }
    assert verdicts == {"not resolved"}
    assert "The scores are from validation data, which also selected each network's epoch" in result.stdout


def test_tasks_with_different_metrics_have_no_overall_score(tmp_path: Path, mtl: Any) -> None:
    table = [f"{n},{(n * 7) % 11},{'ab'[n % 2]},{n / 3:.2f}" for n in range(60)]
    for split_name, rows in (("train", table[:40]), ("test", table[40:])):
        (tmp_path / f"{split_name}.csv").write_text("\n".join(["x,y,kind,size", *rows]) + "\n")
    numbers = {"type": "table", "train": "train.csv", "test": "test.csv", "numbers": ["x", "y"]}
    tasks = [
        {"name": "kind", "head": "linear"},
        {"name": "size", "kind": {"type": "regression", "metrics": ["r2", "mae"]}, "head": "linear"},
    ]
    path = write_experiment(tmp_path, **{**FAST, "data": numbers, "tasks": tasks})
    result = mtl("compare", path, "--seeds", "1", "--jobs", "1", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    comparison = read_comparison(tmp_path / "out")
    assert {name: task_result["metric"] for name, task_result in comparison["tasks"].items()} == {
        "kind": "accuracy",
        "size": "r2",
    }
    for variant in comparison["variants"]:
        assert variant["overall"] is None
        assert "overall" not in (variant["differences_from_reference"] or {})
    run = read_metrics(tmp_path / "out" / "single-task-size-seed1")["splits"]["test"]["tasks"]["size"]["r2"]
    assert comparison["variants"][1]["tasks"]["size"]["seeds"] == [pytest.approx(run)]


# ── finished runs ──


@pytest.fixture
def runs(out: Path, tmp_path: Path) -> list[Path]:
    """Copies of runs that a test may damage."""
    return [
        Path(shutil.copytree(out / f"{name}-seed1", tmp_path / name))
        for name in ("multi-task", "weighting=label-count")
    ]


def test_finished_runs_are_compared_with_the_first(runs: list[Path], tmp_path: Path, mtl: Any) -> None:
    result = mtl("compare", *runs, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    comparison = read_comparison(tmp_path / "out")
    assert comparison["reference"] == "multi-task"
    assert [(one["name"], one["kind"]) for one in comparison["variants"]] == [
        ("multi-task", "run"),
        ("weighting=label-count", "run"),
    ]
    for variant, run in zip(comparison["variants"], runs, strict=True):
        accuracy = read_metrics(run)["splits"]["test"]["tasks"]["t0"]["accuracy"]
        assert variant["tasks"]["t0"]["seeds"] == [accuracy]
    assert "weighting=label-count against multi-task: mean relative gain" in result.stdout
    assert "but not over seeds: verdicts are about these networks" in result.stdout
    second_result = mtl("compare", *runs, "--out", tmp_path / "out")
    assert f"{tmp_path / 'out'}: exists already; choose another --out" in second_result.stderr


def test_runs_with_different_examples_labels_or_tasks_are_rejected(
    runs: list[Path], out: Path, tmp_path: Path, mtl: Any
) -> None:
    first, second = runs
    lines = (second / "predictions.jsonl").read_text(encoding="utf-8")
    tensors = load_file(second / "outputs.safetensors")
    example = json.loads(lines.splitlines()[int(tensors["t1/examples"][0])])["id"]

    def get_error(*targets: Path) -> str:
        result = mtl("compare", *targets, "--out", tmp_path / "out")
        assert result.returncode == 2
        return str(result.stderr)

    (second / "predictions.jsonl").write_text(lines.replace(f'"id": "{example}"', '"id": "other"'), encoding="utf-8")
    message = get_error(first, second)
    assert "weighting=label-count: task 't" in message
    assert f"was measured on other examples than in multi-task (1 missing, such as '{example}'; 1 more" in message
    (second / "predictions.jsonl").write_text(lines, encoding="utf-8")

    changed = {**tensors, "t1/targets": (tensors["t1/targets"] + 1) % 3}
    save_file(changed, second / "outputs.safetensors", metadata={"part": "test"})
    message = get_error(first, second)
    assert (
        f"weighting=label-count: task 't1' has another label for example '{example}' than in multi-task ('c" in message
    )

    save_file(tensors, second / "outputs.safetensors", metadata={"part": "validation"})
    assert "was scored on validation data, but multi-task on test data" in get_error(first, second)
    message = get_error(first, out / "single-task-t1-seed1")
    assert "single-task-t1-seed1: has the tasks t1, but multi-task has t0, t1, t2; only runs with the same" in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "outputs.safetensors",
            "the run has no outputs.safetensors, which a comparison requires: an earlier ver",
        ),
        ("metrics.json", "the run is incomplete: metrics.json is missing"),
        ("state.json", "the run is incomplete: state.json is missing"),
        ("config.yaml", "not a run directory (it contains no config.yaml)"),
    ],
)
def test_incomplete_run_is_rejected(runs: list[Path], mtl: Any, name: str, message: str) -> None:
    (runs[1] / name).unlink()
    result = mtl("compare", *runs)
    assert result.returncode == 2
    assert f"{runs[1]}: {message}" in result.stderr


@pytest.mark.parametrize("name", ["outputs.safetensors", "metrics.json", "predictions.jsonl"])
def test_a_damaged_run_is_refused(runs: list[Path], mtl: Any, name: str) -> None:
    (runs[1] / name).write_text("{not", encoding="utf-8")
    result = mtl("compare", *runs)
    assert result.returncode == 2
    assert f"{runs[1] / name}: damaged: " in result.stderr


def test_options_of_experiments_are_refused_for_runs(runs: list[Path], mtl: Any) -> None:
    result = mtl("compare", *runs, "--seeds", "3", "--variant", "weighting=sum")
    assert result.returncode == 2
    assert "--seeds, --variant: finished runs are compared as they are; this is for experiments" in result.stderr
    result = mtl("compare", runs[0])
    assert f"{runs[0]}: one run alone cannot be compared; name two or more, the reference first" in result.stderr
    result = mtl("compare", runs[0], runs[0])
    assert "given twice; a run cannot be compared with itself" in result.stderr


@pytest.mark.parametrize(
    ("margins", "message"),
    [
        (["-0.1"], "--margin -0.1: expected a number of 0 or more, such as 0.01, or TASK=NUMBER"),
        (["t0=much"], "--margin t0=much: expected a number of 0 or more"),
        (["0.1", "0.2"], "--margin 0.2: given twice"),
        (["t00=0.1"], "--margin t00=0.1: there is no task 't00'; did you mean 't0'?"),
    ],
)
def test_invalid_margins_are_refused(runs: list[Path], mtl: Any, margins: list[str], message: str) -> None:
    result = mtl("compare", *runs, *(f"--margin={margin}" for margin in margins))
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_margins_are_stored_and_stated(runs: list[Path], mtl: Any, tmp_path: Path) -> None:
    result = mtl("compare", *runs, "--margin", "0.2", "--margin", "t1=1", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    comparison = read_comparison(tmp_path / "out")
    assert {name: task["margin"] for name, task in comparison["tasks"].items()} == {"t0": 0.2, "t1": 1.0, "t2": 0.2}
    assert "within ±0.2 for t0, ±1 for t1, ±0.2 for t2 (--margin)" in result.stdout


# ── outputs.safetensors ──


def test_outputs_reproduce_the_metrics_of_the_run(out: Path) -> None:
    run = read_run(out / "multi-task-seed1", load_experiment(out / "multi-task-seed1" / "config.yaml"))
    tasks = read_metrics(run.path)["splits"]["test"]["tasks"]
    records = [json.loads(line) for line in (run.path / "predictions.jsonl").read_text().splitlines()]
    assert run.split_name == "test"
    for name, task_outputs in run.tasks.items():
        assert isinstance(task_outputs, LabelledOutputs)  # no labels per pixel
        predicted_codes = task_outputs.outputs.outputs.argmax(dim=1)
        assert len(predicted_codes) == tasks[name]["n"]
        assert int((predicted_codes == task_outputs.outputs.targets).sum()) == tasks[name]["correct"]
        for example, gold, code in zip(
            task_outputs.outputs.examples.tolist(),
            task_outputs.get_gold_labels(),
            predicted_codes.tolist(),
            strict=True,
        ):
            entry = records[example]["tasks"][name]
            assert (entry["gold"], entry["label"]) == (gold, task_outputs.task.space.classes[code])
        assert task_outputs.outputs.examples.tolist() == sorted(task_outputs.outputs.examples.tolist())


def test_summary_reports_gains_and_negative_transfer() -> None:
    def build_variant(name: str, kind: Any, against: dict[str, Difference] | None) -> VariantSummary:
        estimates = {task: Estimate(0.5, 0.4, 0.6, [0.5]) for task in ("food", "price", "staff", "drinks")}
        delta_m = None if against is None else DeltaM(1.5, -0.25, 3.0)
        return VariantSummary(name, kind, [], estimates, None, delta_m, against, None, 1, 1.0, 1.0, [])

    def build_difference(mean: float, half_width: float, verdict: Verdict) -> Difference:
        return Difference(mean, mean - half_width, mean + half_width, [mean] * 5, 9, 0.01, 0.03, "tasks", verdict)

    differences = {
        "food": build_difference(0.02, 0.01, "improved"),
        "price": build_difference(-0.03, 0.02, "degraded"),
        "staff": build_difference(0.01, 0.02, "not resolved"),
        "drinks": build_difference(0.001, 0.002, "practically equal"),
    }
    tasks = {task: MeasuredTask("accuracy", True, 100, 0.01) for task in differences}
    variants = [
        build_variant("multi-task", "multi-task", differences),
        build_variant("single-task", "single-task", None),
    ]
    families: dict[FamilyName, Family] = {"tasks": Family(4, "holm")}
    comparison = Comparison("x", [1, 2, 3, 4, 5], None, "test", 100, 0.95, "single-task", tasks, variants, families)
    assert summarize(comparison)[0] == (
        "multi-task against single-task: mean relative gain +1.5 % (-0.2 to +3.0); "
        "improved: food +0.0200 (+0.0100 to +0.0300); "
        "degraded (negative transfer with these settings): price -0.0300 (-0.0500 to -0.0100); "
        "practically equal: drinks; not resolved: staff."
    )
    undefined = {**variants[0].tasks, "food": Estimate(None, None, None, [None])}
    undefined_variant = replace(variants[0], tasks=undefined, differences_from_reference=None)
    sentences = summarize(Comparison("x", [1], None, "test", 100, 0.95, "multi-task", tasks, [undefined_variant], {}))
    assert "food: accuracy is undefined (100 labels) and excluded from every mean." in sentences
