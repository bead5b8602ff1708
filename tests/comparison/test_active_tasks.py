"""`active_tasks` trains some of the declared tasks on the data, the split and the batches of all of them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import CLASSES, task_block, toy_config, write_experiment
from two_tables import build_two_table_blocks

from mtl_core.config.training import Selection
from mtl_core.data.batches import RowIndices
from mtl_core.data.columns import find_rows
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare, prepare_refit
from mtl_core.errors import MtlError
from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.batch_sampler import LabelledSampler, build_batch_sampler
from mtl_core.training.callback import NullCallback

pytestmark = pytest.mark.usefixtures("placeholder_reports")

TESTED = {"data": {"type": "toy", "rows": 60, "test_rows": 20, "labelled": 0.4}}


def build_sampler(config: Any, prepared: FittedData) -> Any:
    return build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths)


def read_history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as lines:
        return list(csv.DictReader(lines))


# ── the same data, the same split, the same batches ──


@pytest.mark.parametrize("split", ["stratified", {"type": "k-fold", "folds": 3}, {"type": "random", "test": 0.2}])
def test_split_encoder_and_batches_equal_those_of_the_full_run(tmp_path: Path, split: Any) -> None:
    blocks: dict[str, Any] = {"split": split, "training": {"epochs": 2, "batch_size": 4}, **TESTED}
    full_config, config = toy_config(tmp_path, **blocks), toy_config(tmp_path, active_tasks=["t1"], **blocks)
    full_data, data = prepare(full_config), prepare(config)
    for name in ("train", "validation", "test"):
        assert np.array_equal(getattr(full_data.split, name), getattr(data.split, name)), name
    assert data.encoder.state() == full_data.encoder.state()
    assert [task.name for task in data.tasks] == ["t1"]
    assert [task.name for task in data.inactive_tasks] == ["t0", "t2"]
    labelled = {row for row, label in enumerate(data.labels["t1"]) if label in CLASSES}
    for epoch in range(2):
        batches, full_batches = (
            build_sampler(config, data).get_batches(epoch),
            build_sampler(full_config, full_data).get_batches(epoch),
        )
        assert len(batches) == len(full_batches) == build_sampler(config, data).steps_per_epoch
        for batch, full_batch in zip(batches, full_batches, strict=True):
            labelled_rows = [row for row in full_batch.tolist() if row in labelled]
            assert batch.tolist() == (labelled_rows or full_batch[:1].tolist())


class FixedSampler:
    """A batch sampler with fixed batches."""

    def __init__(self, batches: list[RowIndices]) -> None:
        self._batches = batches
        self.steps_per_epoch = len(batches)

    def get_batches(self, epoch: int) -> list[RowIndices]:
        return self._batches


@settings(max_examples=60, deadline=None)
@given(data=st.data(), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_no_labelled_example_and_no_step_is_lost(data: st.DataObject, sizes: list[int]) -> None:
    total = sum(sizes)
    is_labelled = np.array(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)))
    rows = np.array(data.draw(st.permutations(range(total))))
    batches = np.split(rows, np.cumsum(sizes)[:-1])
    restricted_batches = LabelledSampler(FixedSampler(batches), is_labelled).get_batches(0)
    assert [len(batch) > 0 for batch in restricted_batches] == [True] * len(sizes)
    visited = [row for batch in restricted_batches for row in batch.tolist() if is_labelled[row]]
    assert visited == [row for row in rows.tolist() if is_labelled[row]]
    idle = [batch for batch in restricted_batches if not is_labelled[batch].any()]
    assert all(len(batch) == 1 for batch in idle)


def test_fully_labelled_data_equals_a_single_task_experiment(tmp_path: Path) -> None:
    """The reference declares this task only. Weights, metrics and predictions are the same."""
    kind = {"type": "classification", "classes": [*CLASSES, "absent"]}
    options = {"kind": kind, "head": {"type": "linear", "dropout": 0.2}, "mask": "observed"}
    blocks: dict[str, Any] = {
        "data": {"type": "toy", "labelled": 1.0, "test_rows": 20},
        "split": {"type": "random", "validation": 0.25},
        "schedule": {"type": "linear", "warmup": 0.1},
    }
    task_blocks = [{"name": name, **options} for name in ("t0", "t1", "t2")]
    run_experiment(toy_config(tmp_path, tasks=task_blocks, active_tasks=["t1"], **blocks), tmp_path / "part")
    run_experiment(toy_config(tmp_path, tasks=task_blocks[1:2], **blocks), tmp_path / "alone")
    for name in ("model.safetensors", "predictions.jsonl", "outputs.safetensors", "history.csv"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name


def test_schedule_equals_the_full_run_despite_unlabelled_batches(tmp_path: Path) -> None:
    blocks: dict[str, Any] = {
        "data": {"type": "toy", "rows": 60, "labelled": 0.2},
        "training": {"epochs": 3, "batch_size": 2},
        "schedule": {"type": "linear", "warmup": 0.1},
    }
    rates = []
    for name, active_tasks in (("whole", None), ("part", ["t2"])):
        run_experiment(toy_config(tmp_path, active_tasks=active_tasks, **blocks), tmp_path / name)
        rates.append([row["learning_rate"] for row in read_history(tmp_path / name)])
    assert rates[0] == rates[1]


class Interrupt(BaseException):
    """Simulates Ctrl-C."""


class InterruptAfter(NullCallback):
    def __init__(self, batches: int) -> None:
        self.remaining_batches = batches

    def on_step_end(self, means: Any) -> None:
        self.remaining_batches -= 1
        if self.remaining_batches == 0:
            raise Interrupt


@pytest.mark.parametrize("batches", [3, 20])
def test_run_interrupted_within_an_epoch_resumes_bit_for_bit(tmp_path: Path, batches: int) -> None:
    blocks: dict[str, Any] = {
        "data": {"type": "toy", "rows": 30, "test_rows": 8, "labelled": 0.2},
        "split": "random",
        "training": {"epochs": 2, "batch_size": 2, "checkpoint_steps": 2, "refit": True},
    }
    config = toy_config(tmp_path, active_tasks=["t0", "t2"], **blocks)
    run_experiment(config, tmp_path / "whole")
    with pytest.raises(Interrupt):
        run_experiment(config, tmp_path / "cut", InterruptAfter(batches))
    resume_run(tmp_path / "cut")
    for name in ("model.safetensors", "history.csv", "outputs.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name


# ── in combination with other settings ──


@pytest.mark.parametrize(
    "blocks",
    [
        {},
        {"training": {"epochs": 2, "batch_size": 8, "refit": True}},
        {"architecture": "soft-sharing"},
        {"split": {"type": "k-fold", "folds": 3, "fold": 1, "hold_out": "test"}},
        {"tasks": [task_block(name="t0"), task_block()]},
        {"tasks": [task_block(name="t2"), {**task_block(), "each": "t0"}, {**task_block(), "each": "t1"}]},
        {"tasks": [task_block(name=name) for name in ("t0", "t1", "t2")]},
    ],
    ids=["plain", "refit", "architecture", "fold", "named and patterns", "patterns", "named"],
)
def test_a_run_of_one_task_is_trained_saved_loaded_and_scored(tmp_path: Path, blocks: dict[str, Any]) -> None:
    config = toy_config(tmp_path, **{**TESTED, "active_tasks": ["t1"], **blocks})
    report = run_experiment(config, tmp_path / "run")
    saved_run = load_run(tmp_path / "run")
    assert [task.name for task in saved_run.main_tasks] == ["t1"]
    assert not saved_run.derives_tasks
    assert evaluate_test_split(saved_run).scores == report.scores["test"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["splits"]["test"]["tasks"]) == ["t1"]
    labels = metrics["data"]["label_counts"]["train"]["t1"]
    assert metrics["data"]["examples"]["train"] == sum(labels[name] for name in CLASSES)
    assert any("no label for an active task (t1)" in finding for finding in metrics["data"]["warnings"])
    lines = (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == metrics["data"]["examples"]["test"] == len(report.data.split.test)


def test_task_with_a_separate_data_set_learns_from_it_only(tmp_path: Path) -> None:
    blocks = build_two_table_blocks(tmp_path, training={"epochs": 2, "batch_size": 8})
    config, full_config = toy_config(tmp_path, active_tasks=["side"], **blocks), toy_config(tmp_path, **blocks)
    data, full_data = prepare(config), prepare(full_config)
    across = set(find_rows(data.corpus.sources, "across").tolist())
    batches, full_batches = (
        build_sampler(config, data).get_batches(0),
        build_sampler(full_config, full_data).get_batches(0),
    )
    for batch, full_batch in zip(batches, full_batches, strict=True):
        from_across = set(full_batch.tolist()) <= across
        assert batch.tolist() == (full_batch if from_across else full_batch[:1]).tolist()
    run_experiment(config, tmp_path / "run")
    assert [task.name for task in load_run(tmp_path / "run").main_tasks] == ["side"]


def test_refit_includes_validation_data(tmp_path: Path) -> None:
    config = toy_config(tmp_path, active_tasks=["t1"], **TESTED)
    prepared = prepare(config)
    refit_data = prepare_refit(config, prepared)
    labelled = [row for row, label in enumerate(prepared.labels["t1"]) if label in CLASSES]
    both = np.concatenate([prepared.split.train, prepared.split.validation])
    assert set(refit_data.split.select_labelled(refit_data.split.train).tolist()) == set(labelled) & set(both.tolist())


def test_auxiliary_tasks_keep_their_labelled_examples(tmp_path: Path) -> None:
    pytest.importorskip("mtl_auxiliary")
    block = {"type": "auxiliary-target", "label": "t0", "head": "linear"}
    for weight, is_active in ((0.5, True), (0, False)):
        config = toy_config(tmp_path, active_tasks=["t1"], **{**TESTED, "auxiliary": [{**block, "weight": weight}]})
        prepared = prepare(config)
        has_auxiliary_label = [label is not None and is_active for label in prepared.corpus.labels["t0"]]
        has_label = [label in CLASSES for label in prepared.corpus.labels["t1"]]
        expected_rows = [row for row in prepared.split.train.tolist() if has_label[row] or has_auxiliary_label[row]]
        assert prepared.split.select_labelled(prepared.split.train).tolist() == expected_rows


# ── defaults are those of all tasks ──


def test_epochs_are_selected_by_the_metric_of_the_full_run(tmp_path: Path) -> None:
    f1_first = {"type": "classification", "classes": CLASSES, "metrics": ["macro-f1", "accuracy"]}
    f1_only = {"type": "classification", "classes": CLASSES, "metrics": ["macro-f1"]}
    tasks = [task_block(name="t0", kind=f1_first), task_block(name="t1", kind=f1_only)]
    run_experiment(toy_config(tmp_path, active_tasks=["t0"], tasks=tasks), tmp_path / "run")
    best = json.loads((tmp_path / "run" / "metrics.json").read_text())["model"]
    row = read_history(tmp_path / "run")[best["best_epoch"] - 1]
    assert best["best_score"] == pytest.approx(float(row["validation.t0.macro_f1"]))


def test_inactive_task_cannot_select_the_epoch(tmp_path: Path) -> None:
    config = toy_config(tmp_path, active_tasks=["t0"], training={"epochs": 1, "select": {"aggregation": "t1"}})
    assert config.training.select == Selection(aggregation="t1")
    with pytest.raises(MtlError, match=r"the task 't1' is not trained, so it cannot select the epoch \(trained: t0\)"):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ── wrong names ──


@pytest.mark.parametrize(
    ("active_tasks", "message"),
    [
        (
            ["food", "servise"],
            "active_tasks.1: unknown task 'servise'; did you mean 'service'? (tasks: food, service)",
        ),
        (["food", "food"], "the task 'food' is listed twice"),
        ([], "active_tasks"),
    ],
)
def test_wrong_name_is_reported_with_its_line(tmp_path: Path, mtl: Any, active_tasks: list[str], message: str) -> None:
    tasks = [task_block(name=name) for name in ("food", "service")]
    path = write_experiment(tmp_path, tasks=tasks, active_tasks=active_tasks)
    result = mtl("validate", path)
    assert result.returncode == 2
    assert f"{path}:" in result.stderr
    assert message in result.stderr


def test_name_unknown_in_the_data_is_reported_before_training(tmp_path: Path, mtl: Any) -> None:
    result = mtl("run", write_experiment(tmp_path), "--set", "active_tasks=[t11]", "--out", tmp_path / "run")
    assert result.returncode == 2
    assert "active_tasks.0: unknown task 't11'; did you mean 't1'? (tasks: t0, t1, t2)" in result.stderr
    assert not (tmp_path / "run").exists()
    assert "active: t11" in mtl("validate", tmp_path / "toy.yaml", "--set", "active_tasks=[t11]").stdout
