"""`mtl compare` end to end, on toy data."""

import csv
import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import halting_parts
import numpy as np
import pytest
import toy
from safetensors.torch import load_file, save_file
from toy import write_experiment

from mtl_core.cli.app import main
from mtl_core.comparison.outputs import read_run
from mtl_core.comparison.summary import Comparison, Difference, Estimate, Gain, MeasuredTask, VariantSummary
from mtl_core.comparison.trials import held
from mtl_core.comparison.words import words_of
from mtl_core.config.load import load_experiment

DATA = {"type": "toy", "rows": 40, "test_rows": 40, "labelled": 0.5}
FAST: dict[str, Any] = {"data": DATA, "split": "random", "training": {"epochs": 2, "batch_size": 8}}
OPTIONS = ("--seeds", "2", "--with", "weighting=by-labels,static", "--resamples", "200")


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


def found_in(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "comparison.json").read_text(encoding="utf-8"))
    return found


def figures_in(path: Path) -> dict[str, Any]:
    """Return the comparison without times."""
    found = found_in(path)
    for variant in found["variants"]:
        del variant["train_s"], variant["inference_ms"]
    return found


def metrics_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


# ── results ──


def test_figures_are_those_of_the_runs(out: Path) -> None:
    found = found_in(out)
    assert (found["seeds"], found["folds"], found["part"], found["examples"]) == ([1, 2], None, "test", 40)
    variants = {variant["name"]: variant for variant in found["variants"]}
    assert list(variants) == ["multi-task", "single-task", "weighting=by-labels", "weighting=static", "majority"]
    for task, one in found["tasks"].items():
        assert (one["metric"], one["higher_is_better"]) == ("accuracy", True)
        for name, folders in (("multi-task", "multi-task"), ("single-task", f"single-task-{task}")):
            runs = [metrics_of(out / f"{folders}-seed{seed}")["splits"]["test"]["tasks"][task] for seed in (1, 2)]
            assert variants[name]["tasks"][task]["seeds"] == [run["accuracy"] for run in runs]
            assert [run["n"] for run in runs] == [one["n"]] * 2
            if name == "multi-task":
                majority = [run["majority_accuracy"] for run in runs]
                assert variants["majority"]["tasks"][task]["seeds"] == majority
    whole = [metrics_of(out / f"multi-task-seed{seed}")["splits"]["test"]["overall"]["accuracy"] for seed in (1, 2)]
    assert variants["multi-task"]["overall"]["seeds"] == pytest.approx(whole)
    assert variants["multi-task"]["overall"]["mean"] == pytest.approx(sum(whole) / 2)


def test_intervals_hold_the_mean_and_verdicts_follow_them(out: Path) -> None:
    found = found_in(out)
    for variant in found["variants"]:
        for one in [*variant["tasks"].values(), variant["overall"]]:
            assert one["low"] <= one["mean"] <= one["high"]
        if variant["name"] == "single-task":
            assert variant["against_single"] is None
            assert variant["delta_m"] is None
            continue
        for difference in variant["against_single"].values():
            low, high = difference["low"], difference["high"]
            expected = "noise" if low <= 0 <= high else "gained" if low > 0 else "suffered"
            assert difference["verdict"] == expected


def test_delta_m_is_that_of_the_written_figures(out: Path) -> None:
    variants = {variant["name"]: variant for variant in found_in(out)["variants"]}
    single = {task: one["mean"] for task, one in variants["single-task"]["tasks"].items()}
    for name in ("multi-task", "weighting=by-labels", "majority"):
        ours = {task: one["mean"] for task, one in variants[name]["tasks"].items()}
        gain = 100 * np.mean([(ours[task] - single[task]) / single[task] for task in single])
        assert variants[name]["delta_m"]["mean"] == pytest.approx(gain)


def test_costs_of_single_tasks_are_those_of_all_their_networks(out: Path) -> None:
    variants = {variant["name"]: variant for variant in found_in(out)["variants"]}
    single = variants["single-task"]
    assert single["runs"] == [f"single-task-t{task}-seed{seed}" for seed in (1, 2) for task in range(3)]
    runs = [metrics_of(out / run) for run in single["runs"]]
    assert single["parameters"] == sum(run["model"]["parameters"] for run in runs[:3])
    for key in ("train_s", "inference_ms"):
        sums = [sum(run["timing"][key] for run in runs[start : start + 3]) for start in (0, 3)]
        assert single[key] == pytest.approx(np.median(sums))
    assert (variants["majority"]["parameters"], variants["majority"]["runs"]) == (0, [])


def test_variants_whose_experiments_are_equal_share_their_runs(out: Path) -> None:
    variants = {variant["name"]: variant for variant in found_in(out)["variants"]}
    assert variants["weighting=static"]["runs"] == variants["multi-task"]["runs"]
    assert variants["weighting=static"]["tasks"] == variants["multi-task"]["tasks"]
    assert len(list(out.glob("*/config.yaml"))) == 2 * (1 + 3 + 1)


def test_the_csv_holds_the_figures_of_the_json(out: Path) -> None:
    with (out / "comparison.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    found = found_in(out)
    assert len(rows) == 4 * 5
    for variant in found["variants"]:
        for task, one in {**variant["tasks"], "overall": variant["overall"]}.items():
            row = next(row for row in rows if (row["task"], row["variant"]) == (task, variant["name"]))
            assert float(row["mean"]) == one["mean"]
            assert [float(row[f"seed_{seed}"]) for seed in (1, 2)] == one["seeds"]
            if variant["against_single"]:
                assert float(row["difference_low"]) == variant["against_single"][task]["low"]
                assert row["verdict"] == variant["against_single"][task]["verdict"]


def test_the_latex_table_is_well_formed(out: Path) -> None:
    text = (out / "comparison.tex").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 5
    assert {line.count(" & ") for line in body} == {5}
    assert all(line.endswith(r"\\") for line in body)
    assert body[2].startswith("weighting=by-labels & 0.")


def test_the_terminal_tells_figures_costs_and_words(out: Path, folder: Path, mtl: Any) -> None:
    done = mtl("compare", folder / "toy.yaml", *OPTIONS, "--out", out)
    assert done.returncode == 0, done.stderr
    for text in ("t0 (accuracy, n=", "95 % interval", "against single-task", "mean relative gain", "majority"):
        assert text in done.stdout
    for sentence in found_in(out)["words"]:
        assert sentence in done.stdout
    assert "weighting=by-labels against multi-task: " in done.stdout
    assert "15 differences of single tasks were tested; if none were real, about 0.8" in done.stdout
    assert f"{out}: comparison.json, comparison.csv and comparison.tex written" in done.stdout
    assert (out / "report.html").is_file()


# ── training and resuming ──


def test_it_goes_on_where_it_stopped_and_trains_nothing_again(out: Path, folder: Path, mtl: Any) -> None:
    before = figures_in(out)
    stamps = {path.parent: path.stat().st_mtime_ns for path in out.glob("*/metrics.json")}
    gone = out / "single-task-t1-seed2"
    shutil.rmtree(gone)
    done = mtl("compare", folder / "toy.yaml", *OPTIONS, "--jobs", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    assert figures_in(out) == before
    for run, stamp in stamps.items():
        assert (run == gone) == ((run / "metrics.json").stat().st_mtime_ns != stamp)


def test_seeds_and_variants_can_be_added_but_nothing_else_can_be_changed(
    out: Path, folder: Path, tmp_path: Path, mtl: Any
) -> None:
    copy = Path(shutil.copytree(out, tmp_path / "copy"))
    more = ("--seeds", "3", "--with", "weighting=by-labels", "--resamples", "200", "--jobs", "1", "--out", copy)
    assert mtl("compare", folder / "toy.yaml", *more).returncode == 0
    found, before = found_in(copy), found_in(out)
    assert found["seeds"] == [1, 2, 3]
    for new, old in zip(found["variants"], before["variants"], strict=False):
        if new["name"] == old["name"]:
            assert new["tasks"]["t0"]["seeds"][:2] == old["tasks"]["t0"]["seeds"]
    done = mtl("compare", folder / "toy.yaml", "--set", "training.epochs=3", "--out", out)
    assert done.returncode == 2
    assert f"{out}: exists already, but not from the same comparison; choose another --out" in done.stderr
    done = mtl("compare", folder / "toy.yaml", "--out", folder)
    assert "not from the same comparison" in done.stderr


def test_interrupted_with_two_processes_it_ends_with_the_figures_of_one(
    tmp_path: Path, mtl: Any, mtl_fork: Any
) -> None:
    gate, two = tmp_path / "gate", tmp_path / "two"
    gate.touch()
    blocks: dict[str, Any] = {
        "data": {**DATA, "tasks": 2},
        "split": "random",
        "plugins": [toy.__file__, halting_parts.__file__],
        "backbone": {"type": "halting", "gate": str(gate), "runs": str(two), "after": 4},
        "training": {"epochs": 4, "batch_size": 8},
    }
    path = write_experiment(tmp_path, **blocks)
    words = ["compare", str(path), "--seeds", "2", "--resamples", "100"]
    process = mtl_fork(tmp_path / "log", *words, "--jobs", "2", "--out", two)

    def waiting() -> list[Path]:
        """Return the paused runs: after a complete run, each process pauses in its next run, after an epoch."""
        return [run for run in two.glob("*/checkpoint.safetensors") if not run.with_name("metrics.json").exists()]

    deadline = time.monotonic() + 300
    while (not list(two.glob("*/metrics.json")) or len(waiting()) < 2) and process.is_alive():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # like a terminal: to every process of the group
    process.join(60)
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.exitcode == 130, said
    assert "interrupted; finished runs stay: the same command with `--out" in said
    assert "Traceback" not in said
    finished = {run: run.stat().st_mtime_ns for run in two.glob("*/metrics.json")}
    assert finished
    assert waiting(), "no training was interrupted in the middle"
    gate.unlink()
    for name in ("two", "one"):
        done = mtl(*words, "--jobs", "1", "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert {run: run.stat().st_mtime_ns for run in finished} == finished
    assert figures_in(two) == figures_in(tmp_path / "one")


def test_only_one_comparison_at_a_time_works_in_a_folder(out: Path, folder: Path, mtl: Any) -> None:
    with held(out):
        done = mtl("compare", folder / "toy.yaml", *OPTIONS, "--out", out)
    assert done.returncode == 2
    assert f"{out}: another process is using this folder" in done.stderr


# ── folds, seeds, tasks of other kinds ──


def test_with_folds_every_training_example_is_held_out_once_with_each_seed(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, **{**FAST, "data": {**DATA, "tasks": 2}})
    options = ("--folds", "2", "--seeds", "2", "--jobs", "1", "--resamples", "100", "--out", tmp_path / "out")
    done = mtl("compare", path, *options)
    assert done.returncode == 0, done.stderr
    assert "each held out once in 2 folds" in done.stdout
    found = found_in(tmp_path / "out")
    assert (found["folds"], found["part"], found["examples"]) == (2, "test", 40)
    config = load_experiment(path)
    for seed in (1, 2):
        runs = [read_run(tmp_path / "out" / f"multi-task-seed{seed}-fold{fold}", config) for fold in (0, 1)]
        held_out = [set(run.ids.tolist()) for run in runs]
        assert held_out[0] | held_out[1] == {f"r{row}" for row in range(40)}
        assert not held_out[0] & held_out[1]
        finding = "the test split of the data (40 examples) is not used: the held-out fold is the test split"
        assert finding in metrics_of(runs[0].path)["data"]["findings"]
        hits = [metrics_of(run.path)["splits"]["test"]["tasks"]["t0"] for run in runs]
        pooled = sum(hit["correct"] for hit in hits) / sum(hit["n"] for hit in hits)
        whole = found["variants"][0]["tasks"]["t0"]["seeds"][seed - 1]
        assert whole == pytest.approx(pooled)


def test_one_seed_and_validation_data_are_told(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, **{**FAST, "data": {"type": "toy", "tasks": 2, "labelled": 0.9}})
    done = mtl("compare", path, "--seeds", "1", "--jobs", "1", "--resamples", "100", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["part"] == "validation"
    assert "but not over seeds: there is one. Use --seeds 5." in done.stdout
    assert "The scores are from validation data, which also selected each network's epoch" in done.stdout


def test_tasks_that_are_measured_differently_have_no_overall_figure(tmp_path: Path, mtl: Any) -> None:
    table = [f"{n},{(n * 7) % 11},{'ab'[n % 2]},{n / 3:.2f}" for n in range(60)]
    for part, rows in (("train", table[:40]), ("test", table[40:])):
        (tmp_path / f"{part}.csv").write_text("\n".join(["x,y,kind,size", *rows]) + "\n")
    numbers = {"type": "table", "train": "train.csv", "test": "test.csv", "numbers": ["x", "y"]}
    tasks = [
        {"name": "kind", "head": "linear"},
        {"name": "size", "kind": {"type": "regression", "metrics": ["r2", "mae"]}, "head": "linear"},
    ]
    path = write_experiment(tmp_path, **{**FAST, "data": numbers, "tasks": tasks})
    done = mtl("compare", path, "--seeds", "1", "--jobs", "1", "--resamples", "100", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = found_in(tmp_path / "out")
    assert {name: one["metric"] for name, one in found["tasks"].items()} == {"kind": "accuracy", "size": "r2"}
    for variant in found["variants"]:
        assert variant["overall"] is None
        assert "overall" not in (variant["against_single"] or {})
    run = metrics_of(tmp_path / "out" / "single-task-size-seed1")["splits"]["test"]["tasks"]["size"]["r2"]
    assert found["variants"][1]["tasks"]["size"]["seeds"] == [pytest.approx(run)]


# ── finished runs ──


@pytest.fixture
def runs(out: Path, tmp_path: Path) -> list[Path]:
    """Copies of runs that a test may damage."""
    return [
        Path(shutil.copytree(out / f"{name}-seed1", tmp_path / name))
        for name in ("multi-task", "weighting=by-labels")
    ]


def test_finished_runs_are_compared_with_the_first(runs: list[Path], tmp_path: Path, mtl: Any) -> None:
    done = mtl("compare", *runs, "--resamples", "100", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = found_in(tmp_path / "out")
    assert found["reference"] == "multi-task"
    assert [(one["name"], one["kind"]) for one in found["variants"]] == [
        ("multi-task", "run"),
        ("weighting=by-labels", "run"),
    ]
    for variant, run in zip(found["variants"], runs, strict=True):
        accuracy = metrics_of(run)["splits"]["test"]["tasks"]["t0"]["accuracy"]
        assert variant["tasks"]["t0"]["seeds"] == [accuracy]
    assert "weighting=by-labels against multi-task: mean relative gain" in done.stdout
    assert "but not over seeds: each run has one seed." in done.stdout
    again = mtl("compare", *runs, "--out", tmp_path / "out")
    assert f"{tmp_path / 'out'}: exists already; choose another --out" in again.stderr


def test_runs_on_other_examples_other_labels_or_other_tasks_are_refused_by_name(
    runs: list[Path], out: Path, tmp_path: Path, mtl: Any
) -> None:
    first, second = runs
    lines = (second / "predictions.jsonl").read_text(encoding="utf-8")
    tensors = load_file(second / "outputs.safetensors")
    example = json.loads(lines.splitlines()[int(tensors["t1/examples"][0])])["id"]

    def refused(*targets: Path) -> str:
        done = mtl("compare", *targets, "--out", tmp_path / "out")
        assert done.returncode == 2
        return str(done.stderr)

    (second / "predictions.jsonl").write_text(
        lines.replace(f'"id": "{example}"', '"id": "other"'), encoding="utf-8"
    )
    message = refused(first, second)
    assert "weighting=by-labels: task 't" in message
    assert f"was measured on other examples than in multi-task (1 missing, such as '{example}'; 1 more" in message
    (second / "predictions.jsonl").write_text(lines, encoding="utf-8")

    changed = {**tensors, "t1/targets": (tensors["t1/targets"] + 1) % 3}
    save_file(changed, second / "outputs.safetensors", metadata={"part": "test"})
    message = refused(first, second)
    assert (
        f"weighting=by-labels: task 't1' has another label for example '{example}' than in multi-task ('c"
        in message
    )

    save_file(tensors, second / "outputs.safetensors", metadata={"part": "validation"})
    assert "was scored on validation data, but multi-task on test data" in refused(first, second)
    message = refused(first, out / "single-task-t1-seed1")
    assert (
        "single-task-t1-seed1: has the tasks t1, but multi-task has t0, t1, t2; only runs with the same" in message
    )


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
def test_a_run_that_lacks_something_is_refused(runs: list[Path], mtl: Any, name: str, message: str) -> None:
    (runs[1] / name).unlink()
    done = mtl("compare", *runs)
    assert done.returncode == 2
    assert f"{runs[1]}: {message}" in done.stderr


@pytest.mark.parametrize("name", ["outputs.safetensors", "metrics.json", "predictions.jsonl"])
def test_a_damaged_run_is_refused(runs: list[Path], mtl: Any, name: str) -> None:
    (runs[1] / name).write_text("{not", encoding="utf-8")
    done = mtl("compare", *runs)
    assert done.returncode == 2
    assert f"{runs[1] / name}: damaged: " in done.stderr


def test_options_of_experiments_are_refused_for_runs(runs: list[Path], mtl: Any) -> None:
    done = mtl("compare", *runs, "--seeds", "3", "--with", "weighting=static")
    assert done.returncode == 2
    assert "--seeds, --with: finished runs are compared as they are; this is for experiments" in done.stderr
    done = mtl("compare", runs[0])
    assert f"{runs[0]}: one run alone cannot be compared; name two or more, the reference first" in done.stderr
    done = mtl("compare", runs[0], runs[0])
    assert "given twice; a run cannot be compared with itself" in done.stderr


# ── outputs.safetensors ──


def test_outputs_are_what_the_metrics_of_the_run_saw(out: Path) -> None:
    run = read_run(out / "multi-task-seed1", load_experiment(out / "multi-task-seed1" / "config.yaml"))
    tasks = metrics_of(run.path)["splits"]["test"]["tasks"]
    records = [json.loads(line) for line in (run.path / "predictions.jsonl").read_text().splitlines()]
    assert run.part == "test"
    for name, said in run.tasks.items():
        best = said.outputs.outputs.argmax(dim=1)
        assert len(best) == tasks[name]["n"]
        assert int((best == said.outputs.targets).sum()) == tasks[name]["correct"]
        for example, gold, answer in zip(said.outputs.examples.tolist(), said.gold(), best.tolist(), strict=True):
            entry = records[example]["tasks"][name]
            assert (entry["gold"], entry["label"]) == (gold, said.task.space.classes[answer])
        assert said.outputs.examples.tolist() == sorted(said.outputs.examples.tolist())


def test_the_words_name_gains_and_negative_transfer() -> None:
    def variant(name: str, kind: Any, against: dict[str, Difference] | None) -> VariantSummary:
        figures = {task: Estimate(0.5, 0.4, 0.6, [0.5]) for task in ("food", "price", "staff")}
        gain = None if against is None else Gain(1.5, -0.25, 3.0)
        return VariantSummary(name, kind, [], figures, None, gain, against, None, 1, 1.0, 1.0, [])

    differences = {
        "food": Difference(0.02, 0.01, 0.03, "gained"),
        "price": Difference(-0.03, -0.05, -0.01, "suffered"),
        "staff": Difference(0.01, -0.01, 0.03, "noise"),
    }
    tasks = {task: MeasuredTask("accuracy", True, 100) for task in differences}
    variants = [variant("multi-task", "multi-task", differences), variant("single-task", "single-task", None)]
    found = Comparison("x", [1, 2, 3, 4, 5], None, "test", 100, 2000, 0.95, "single-task", tasks, variants)
    assert words_of(found)[0] == (
        "multi-task against single-task: mean relative gain +1.5 % (-0.2 to +3.0); "
        "gained: food +0.0200 (+0.0100 to +0.0300); "
        "degraded (negative transfer): price -0.0300 (-0.0500 to -0.0100); not significant: staff."
    )
    undefined = {**variants[0].tasks, "food": Estimate(None, None, None, [None])}
    alone = replace(variants[0], tasks=undefined, against_single=None)
    told = words_of(Comparison("x", [1], None, "test", 100, 2000, 0.95, "multi-task", tasks, [alone]))
    assert "food: accuracy is undefined (100 labels) and excluded from every mean." in told
