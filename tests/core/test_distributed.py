"""Distributed training takes the same steps as one process on the whole batch."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy import CLASSES, Toy, task_block
from two_processes import LOST, Outcome, read_outcome, run_in_one_and_two_processes

from mtl_core.runs.run import resume_run

SGD = {"type": "sgd", "lr": 0.3, "momentum": 0.9, "weight_decay": 0.01}
RESUMED = "interrupted and resumed"
SPARSE = {
    "data": {"type": "toy", "rows": 40, "tasks": 6, "labelled": 0.1, "seed": 3},
    "encoder": {"type": "array", "standardise": False},  # the recorded rows are those of the corpus
}
CASES: dict[str, dict[str, Any]] = {
    "plain": {"data": {"type": "toy", "rows": 59}},  # the last batch is odd
    "a task on one rank only": SPARSE,
    "batches of one": {"data": {"type": "toy", "rows": 9}, "training": {"epochs": 2, "batch_size": 1}},
    "class weights, clipped gradients and test data": {
        "tasks": [task_block(kind={"type": "classification", "class_weights": "balanced", "classes": CLASSES})],
        "training": {"epochs": 2, "batch_size": 8, "max_grad_norm": 0.05},
        "data": {"type": "toy", "test_rows": 20},
    },
    "label count and grouped heads": {
        "weighting": {"type": "label-count"},
        "tasks": [task_block({"type": "toy-grouped", "spoil": "nan"})],
    },
    "learned variances": {"weighting": "uncertainty"},
    "random weights": {"weighting": "random"},
    "gradient norms": {**SPARSE, "weighting": {"type": "gradnorm", "lr": 0.1}},
    "relative falls": {"weighting": {"type": "famo", "lr": 0.1, "same_batch": True}},
    "refitted soft sharing": {
        "training": {"epochs": 2, "batch_size": 8, "refit": True},
        "architecture": {"type": "soft-sharing", "strength": 0.1},
    },
    RESUMED: {
        "backbone": {"interrupt": True, "step": 9},
        "training": {"epochs": 2, "batch_size": 8, "checkpoint_steps": 2},
    },
    "interactions": {
        "interactions": {"every_n_steps": 2, "affinity": True},
        "data": {"type": "toy", "labelled": 0.3},
    },
}
if find_spec("mtl_torchjd") and find_spec("torchjd"):  # tests of the core run without plugins
    CASES |= {
        "pcgrad": {"weighting": "pcgrad"},
        "upgrad with few labels": {**SPARSE, "weighting": "upgrad"},
        "mgda with grouped heads": {
            "weighting": "mgda",
            "tasks": [task_block({"type": "toy-grouped", "spoil": "nan"})],
        },
        "graddrop with clipped gradients": {
            "weighting": "graddrop",
            "training": {"epochs": 2, "batch_size": 8, "max_grad_norm": 0.05},
        },
    }
FAILING: dict[str, dict[str, Any]] = {
    "data of one rank": {"data": {"type": "toy-failing", "exception": "user-error"}},
    "bug on one rank": {"data": {"type": "toy-failing", "exception": "bug"}},
    "same error on every rank": {"backbone": {"type": "mlpp"}},
    "diverging": {"optimizer": {"type": "sgd", "lr": 1e38}, "data": {"type": "toy", "labelled": 1.0}},
    LOST: {"backbone": {"fail_on_rank": 1, "step": 3}},
}


@pytest.fixture(scope="module")
def folder(build_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    cases, failing = (
        {name.replace(" ", "-"): {"optimizer": SGD, **blocks} for name, blocks in named_blocks.items()}
        for named_blocks in (CASES, FAILING)
    )
    commands = ["plain", RESUMED.replace(" ", "-"), *failing]
    return build_once("processes", lambda folder: run_in_one_and_two_processes(folder, cases, failing, commands))


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, tuple[Path, Path]]:
    names = [name.replace(" ", "-") for name in CASES]
    return {name: (folder / name / "one", folder / name / "two") for name in names}


def read_batches(folder: Path, name: str, process: str) -> list[list[str]]:
    """Return the rows of each training step of a process, `WORLD_SIZE-RANK`, that the backbone has computed."""
    records = folder / name.replace(" ", "-") / "records" / f"{process}.jsonl"
    return [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()] if records.exists() else []


def align_shards(folder: Path, name: str) -> list[tuple[list[str], list[str], list[str]]]:
    """Return the rows of each batch, and those that each rank has computed: none if its shard has no labels."""
    remaining = [read_batches(folder, name, f"2-{rank}") for rank in (0, 1)]
    aligned = []
    for batch in read_batches(folder, name, "1-0"):
        first, second = (
            shards.pop(0) if shards and not Counter(shards[0]) - Counter(batch) else [] for shards in remaining
        )
        aligned.append((batch, first, second))
    assert remaining == [[], []], "a rank has computed rows that are not in the batch"
    return aligned


def read_outcomes(folder: Path, name: str, command: str = "run") -> list[Outcome]:
    """Return what both ranks printed and how they ended."""
    return [read_outcome(folder / name.replace(" ", "-") / "records" / f"{command}-{rank}") for rank in (0, 1)]


@pytest.mark.parametrize("name", [name for name in CASES if name != RESUMED])
def test_ranks_divide_every_batch(folder: Path, name: str) -> None:
    shards = align_shards(folder, name)
    for batch, first, second in shards:
        assert len(first) in {0, (len(batch) + 1) // 2}
        assert len(second) in {0, len(batch) // 2}
        if first and second:  # disjoint, and together the batch
            assert Counter(first) + Counter(second) == Counter(batch)
        assert first or second
    assert any(second for _, _, second in shards) == (name != "batches of one")
    if name == "plain":
        assert all(first and second for _, first, second in shards)


def test_ranks_are_connected_in_a_process_group(folder: Path) -> None:
    for name in CASES:
        records = folder / name.replace(" ", "-") / "records"
        expected = ["1-0.jsonl", "2-0.jsonl", "2-1.jsonl"][: 2 if name == "batches of one" else 3]
        assert sorted(path.name for path in records.glob("*.jsonl")) == expected


def test_cases_have_odd_batches_and_labels_on_one_rank(folder: Path) -> None:
    """Without them, the comparisons with one process would show less than they claim."""
    assert {len(batch) % 2 for batch in read_batches(folder, "plain", "1-0")} == {0, 1}
    for name in ("a task on one rank only", "gradient norms"):
        corpus = Toy(**{key: value for key, value in CASES[name]["data"].items() if key != "type"}).load()
        rows = {np.asarray(values).tobytes().hex(): index for index, values in enumerate(corpus.inputs)}
        labelled_ranks = [
            [
                {
                    rank
                    for rank, shard in enumerate(shards)
                    for row in shard
                    if column[rows[row]] not in {None, "absent"}
                }
                for column in corpus.labels.values()
            ]
            for _, *shards in align_shards(folder, name)
        ]
        assert any({0} in ranks for ranks in labelled_ranks)
        assert any({1} in ranks for ranks in labelled_ranks)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_like_one(runs: dict[str, tuple[Path, Path]], name: str) -> None:
    one, two = runs[name.replace(" ", "-")]
    weights_of_one, weights_of_two = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert set(weights_of_one) == set(weights_of_two)
    for key, expected in weights_of_one.items():
        torch.testing.assert_close(weights_of_two[key], expected, rtol=0, atol=1e-5)
    first, second = (json.loads((path / "metrics.json").read_text()) for path in (one, two))
    assert second["data"] == first["data"]


def test_two_processes_count_every_label_once(runs: dict[str, tuple[Path, Path]]) -> None:
    """Each process evaluates all validation and test data, which torchmetrics would sum over processes."""
    for one, two in runs.values():
        first, second = (json.loads((path / "metrics.json").read_text())["splits"] for path in (one, two))
        for split_name, groups in first.items():
            for name, score_of_one in groups["tasks"].items():
                score_of_two = second[split_name]["tasks"][name]
                assert score_of_two["n"] == score_of_one["n"]
                rows, expected = (
                    [sum(row) for row in task_score["confusion"] or []] for task_score in (score_of_two, score_of_one)
                )
                assert rows == expected


def test_two_processes_measure_the_same_interactions(runs: dict[str, tuple[Path, Path]]) -> None:
    one, two = (json.loads((path / "interactions.json").read_text()) for path in runs["interactions"])
    assert two["steps"] == one["steps"]
    for key in ("cosine", "affinity", "norms", "conflicts"):
        torch.testing.assert_close(torch.tensor(two[key]), torch.tensor(one[key]), rtol=1e-2, atol=1e-4)


def test_only_the_first_process_writes(runs: dict[str, tuple[Path, Path]]) -> None:
    for one, two in runs.values():
        assert {file.name for file in two.iterdir()} - {"report.html"} == {file.name for file in one.iterdir()}
        assert {file.name for file in two.parent.iterdir()} == {"one", "two", "toy.yaml", "records"}


def test_only_the_first_process_prints(folder: Path) -> None:
    for name, command in (("plain", "run"), (RESUMED, "resume")):
        first, second = read_outcomes(folder, name, command)
        assert (first.code, second.code) == (0, 0)
        assert "by 2 processes" in first.stdout
        assert "epoch 1: loss" in first.stderr or name == RESUMED
        assert second.stdout + second.stderr == ""


def test_interrupted_processes_resume_together(folder: Path) -> None:
    first, second = read_outcomes(folder, RESUMED)
    assert (first.code, second.code) == (130, 130)
    assert "interrupted; resume with `mtl resume " in first.stderr
    assert second.stdout + second.stderr == ""
    interrupted_after = CASES[RESUMED]["backbone"]["step"]
    last_checkpoint = interrupted_after - interrupted_after % CASES[RESUMED]["training"]["checkpoint_steps"]
    batches, halves = (read_batches(folder, RESUMED, process) for process in ("1-0", "2-0"))
    assert len(halves) == len(batches) + interrupted_after + 1 - last_checkpoint


def test_interrupted_processes_can_be_resumed_by_one(folder: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(folder / RESUMED.replace(" ", "-") / "records" / "interrupted", run_dir)
    resume_run(run_dir)
    expected = load_file(folder / RESUMED.replace(" ", "-") / "one" / "model.safetensors")
    for key, value in load_file(run_dir / "model.safetensors").items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=1e-5)


def test_error_on_one_rank_ends_all_with_one_message(folder: Path) -> None:
    first, second = read_outcomes(folder, "data of one rank")
    assert (first.code, second.code) == (2, 2)
    assert first.stderr.endswith("error: rank 1: no such file\n")
    assert second.stderr == ""
    assert not (folder / "data-of-one-rank" / "two").exists()


def test_bug_on_one_rank_keeps_its_traceback(folder: Path) -> None:
    first, second = read_outcomes(folder, "bug on one rank")
    assert (first.code, second.code) == (2, 1)
    assert first.stderr.endswith("error: rank 1 failed: KeyError: 'column'\n")
    assert "Traceback" in second.stderr
    assert not (folder / "bug-on-one-rank" / "two").exists()


def test_error_on_every_rank_is_printed_once(folder: Path) -> None:
    first, second = read_outcomes(folder, "same error on every rank")
    assert (first.code, second.code) == (2, 2)
    assert first.stderr.count("error: ") == 1
    assert "mlpp" in first.stderr
    assert second.stderr == ""


def test_non_finite_loss_is_reported_with_the_examples_of_all_ranks(folder: Path) -> None:
    first, second = read_outcomes(folder, "diverging")
    assert (first.code, second.code) == (2, 2)
    assert "for all of its 8 examples" in first.stderr
    assert "Saved: the weights before this batch" in first.stderr
    assert second.stderr == ""
    assert (folder / "diverging" / "two" / "model.safetensors").is_file()


def test_rank_that_loses_another_ends_with_a_message(folder: Path) -> None:
    first, second = read_outcomes(folder, LOST)
    assert (first.code, second.code) == (2, 1)
    assert "error: the connection to another rank failed; see that rank's message" in first.stderr
    assert "OSError: the disk of this rank is full" in second.stderr
    assert not (folder / LOST / "two").exists()
