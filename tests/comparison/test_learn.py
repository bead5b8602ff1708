"""`learn:` trains some of the declared tasks on the data, the split and the batches of all of them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import CLASSES, task_block, toy_config, write_experiment
from two_tables import two_tables

from mtl_core.config.experiment import Selection
from mtl_core.data.columns import rows_with
from mtl_core.errors import MtlError
from mtl_core.runs.evaluate import evaluate_test_part
from mtl_core.runs.prepare import Prepared, prepare, refit_all
from mtl_core.runs.run import SilentView, resume_run, run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.training.batches import Rows
from mtl_core.training.order import Restricted, training_order

TESTED = {"data": {"type": "toy", "rows": 60, "test_rows": 20, "labelled": 0.4}}


def order_of(config: Any, prepared: Prepared) -> Any:
    return training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths)


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as lines:
        return list(csv.DictReader(lines))


# ── the same data, the same split, the same batches ──


@pytest.mark.parametrize("split", ["stratified", {"type": "k-fold", "folds": 3}, {"type": "random", "test": 0.2}])
def test_split_encoder_and_batches_are_those_of_the_whole_run(tmp_path: Path, split: Any) -> None:
    blocks: dict[str, Any] = {"split": split, "training": {"epochs": 2, "batch_size": 4}, **TESTED}
    whole_config, config = toy_config(tmp_path, **blocks), toy_config(tmp_path, learn=["t1"], **blocks)
    whole, part = prepare(whole_config), prepare(config)
    for name in ("train", "validation", "test"):
        assert np.array_equal(getattr(whole.split, name), getattr(part.split, name)), name
    assert part.encoder.state() == whole.encoder.state()
    assert [task.name for task in part.tasks] == ["t1"]
    assert [task.name for task in part.others] == ["t0", "t2"]
    labelled = {row for row, label in enumerate(part.labels["t1"]) if label in CLASSES}
    for epoch in range(2):
        ours, theirs = order_of(config, part).epoch(epoch), order_of(whole_config, whole).epoch(epoch)
        assert len(ours) == len(theirs) == order_of(config, part).steps_per_epoch
        for mine, all_rows in zip(ours, theirs, strict=True):
            kept = [row for row in all_rows.tolist() if row in labelled]
            assert mine.tolist() == (kept or all_rows[:1].tolist())


class Fixed:
    """A batch sampler with fixed batches."""

    def __init__(self, batches: list[Rows]) -> None:
        self._batches = batches
        self.steps_per_epoch = len(batches)

    def epoch(self, epoch: int) -> list[Rows]:
        return self._batches


@settings(max_examples=60, deadline=None)
@given(data=st.data(), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_no_labelled_example_is_lost_and_no_step_is(data: st.DataObject, sizes: list[int]) -> None:
    total = sum(sizes)
    learned = np.array(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)))
    rows = np.array(data.draw(st.permutations(range(total))))
    batches = np.split(rows, np.cumsum(sizes)[:-1])
    restricted = Restricted(Fixed(batches), learned).epoch(0)
    assert [len(batch) > 0 for batch in restricted] == [True] * len(sizes)
    visited = [row for batch in restricted for row in batch.tolist() if learned[row]]
    assert visited == [row for row in rows.tolist() if learned[row]]
    idle = [batch for batch in restricted if not learned[batch].any()]
    assert all(len(batch) == 1 for batch in idle)


def test_where_every_example_has_every_label_it_is_the_experiment_of_that_task_alone(tmp_path: Path) -> None:
    """The reference declares this task only. Weights, metrics and predictions are the same."""
    kind = {"type": "classification", "classes": [*CLASSES, "absent"]}
    entry = {"kind": kind, "head": {"type": "linear", "dropout": 0.2}, "mask": "observed"}
    blocks: dict[str, Any] = {
        "data": {"type": "toy", "labelled": 1.0, "test_rows": 20},
        "split": {"type": "random", "validation": 0.25},
        "schedule": {"type": "linear", "warm_up": 0.1},
    }
    declared = [{"name": name, **entry} for name in ("t0", "t1", "t2")]
    run_experiment(toy_config(tmp_path, tasks=declared, learn=["t1"], **blocks), tmp_path / "part")
    run_experiment(toy_config(tmp_path, tasks=declared[1:2], **blocks), tmp_path / "alone")
    for name in ("model.safetensors", "predictions.jsonl", "outputs.safetensors", "history.csv"):
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name


def test_the_schedule_is_that_of_the_whole_run_though_some_batches_are_idle(tmp_path: Path) -> None:
    blocks: dict[str, Any] = {
        "data": {"type": "toy", "rows": 60, "labelled": 0.2},
        "training": {"epochs": 3, "batch_size": 2},
        "schedule": {"type": "linear", "warm_up": 0.1},
    }
    rates = []
    for name, learn in (("whole", None), ("part", ["t2"])):
        run_experiment(toy_config(tmp_path, learn=learn, **blocks), tmp_path / name)
        rates.append([row["learning_rate"] for row in history(tmp_path / name)])
    assert rates[0] == rates[1]


class Interrupt(BaseException):
    """Simulates Ctrl-C."""


class InterruptAfter(SilentView):
    def __init__(self, batches: int) -> None:
        self.left = batches

    def batch_done(self, means: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise Interrupt


@pytest.mark.parametrize("batches", [3, 20])
def test_a_run_that_is_cut_off_within_an_epoch_ends_with_the_same_bits(tmp_path: Path, batches: int) -> None:
    blocks: dict[str, Any] = {
        "data": {"type": "toy", "rows": 30, "test_rows": 8, "labelled": 0.2},
        "split": "random",
        "training": {"epochs": 2, "batch_size": 2, "checkpoint_steps": 2, "refit": True},
    }
    config = toy_config(tmp_path, learn=["t0", "t2"], **blocks)
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
    config = toy_config(tmp_path, **{**TESTED, "learn": ["t1"], **blocks})
    report = run_experiment(config, tmp_path / "run")
    saved = load_run(tmp_path / "run")
    assert [task.name for task in saved.main_tasks] == ["t1"]
    assert not saved.derives_tasks
    assert evaluate_test_part(saved).scores == report.scores["test"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["splits"]["test"]["tasks"]) == ["t1"]
    labels = metrics["data"]["label_counts"]["train"]["t1"]
    assert metrics["data"]["examples"]["train"] == sum(labels[name] for name in CLASSES)
    assert any("no label for an active task (t1)" in finding for finding in metrics["data"]["findings"])
    lines = (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == metrics["data"]["examples"]["test"] == len(report.prepared.split.test)


def test_a_task_with_a_data_set_of_its_own_learns_from_that_alone(tmp_path: Path) -> None:
    blocks = two_tables(tmp_path, training={"epochs": 2, "batch_size": 8})
    config, whole_config = toy_config(tmp_path, learn=["side"], **blocks), toy_config(tmp_path, **blocks)
    part, whole = prepare(config), prepare(whole_config)
    across = set(rows_with(part.corpus.sources, "across").tolist())
    ours, theirs = order_of(config, part).epoch(0), order_of(whole_config, whole).epoch(0)
    for mine, all_rows in zip(ours, theirs, strict=True):
        from_across = set(all_rows.tolist()) <= across
        assert mine.tolist() == (all_rows if from_across else all_rows[:1]).tolist()
    run_experiment(config, tmp_path / "run")
    assert [task.name for task in load_run(tmp_path / "run").main_tasks] == ["side"]


def test_validation_data_counts_as_training_data_for_the_second_training_too(tmp_path: Path) -> None:
    config = toy_config(tmp_path, learn=["t1"], **TESTED)
    prepared = prepare(config)
    again = refit_all(config, prepared)
    labelled = [row for row, label in enumerate(prepared.labels["t1"]) if label in CLASSES]
    both = np.concatenate([prepared.split.train, prepared.split.validation])
    assert set(again.split.speaking(again.split.train).tolist()) == set(labelled) & set(both.tolist())


def test_auxiliary_tasks_keep_the_examples_that_they_speak_of(tmp_path: Path) -> None:
    pytest.importorskip("mtl_auxiliary")
    block = {"type": "inverse", "label": "t0", "head": "linear"}
    for weight, of_helper in ((0.5, True), (0, False)):
        config = toy_config(tmp_path, learn=["t1"], **{**TESTED, "auxiliary": [{**block, "weight": weight}]})
        prepared = prepare(config)
        helped = [label is not None and of_helper for label in prepared.corpus.labels["t0"]]
        own = [label in CLASSES for label in prepared.corpus.labels["t1"]]
        wanted = [row for row in prepared.split.train.tolist() if own[row] or helped[row]]
        assert prepared.split.speaking(prepared.split.train).tolist() == wanted


# ── defaults are those of all tasks ──


def test_epochs_are_chosen_by_the_metric_of_the_whole_run(tmp_path: Path) -> None:
    f1_first = {"type": "classification", "classes": CLASSES, "metrics": ["macro-f1", "accuracy"]}
    without = {"type": "classification", "classes": CLASSES, "metrics": ["macro-f1"]}
    tasks = [task_block(name="t0", kind=f1_first), task_block(name="t1", kind=without)]
    run_experiment(toy_config(tmp_path, learn=["t0"], tasks=tasks), tmp_path / "run")
    best = json.loads((tmp_path / "run" / "metrics.json").read_text())["model"]
    row = history(tmp_path / "run")[best["best_epoch"] - 1]
    assert best["best_score"] == pytest.approx(float(row["validation.t0.macro_f1"]))


def test_a_task_that_is_not_learned_cannot_choose_the_epoch(tmp_path: Path) -> None:
    config = toy_config(tmp_path, learn=["t0"], training={"epochs": 1, "select": {"over": "t1"}})
    assert config.training.select == Selection(over="t1")
    with pytest.raises(
        MtlError, match=r"the task 't1' is not trained, so it cannot select the epoch \(trained: t0\)"
    ):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ── wrong names ──


@pytest.mark.parametrize(
    ("learn", "message"),
    [
        (["food", "servise"], "learn.1: unknown task 'servise'; did you mean 'service'? (tasks: food, service)"),
        (["food", "food"], "the task 'food' is listed twice"),
        ([], "learn"),
    ],
)
def test_a_wrong_name_is_told_with_its_line(tmp_path: Path, mtl: Any, learn: list[str], message: str) -> None:
    tasks = [task_block(name=name) for name in ("food", "service")]
    path = write_experiment(tmp_path, tasks=tasks, learn=learn)
    done = mtl("validate", path)
    assert done.returncode == 2
    assert f"{path}:" in done.stderr
    assert message in done.stderr


def test_a_name_that_only_the_data_can_refuse_is_told_before_anything_is_made(tmp_path: Path, mtl: Any) -> None:
    done = mtl("run", write_experiment(tmp_path), "--set", "learn=[t11]", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "learn.0: unknown task 't11'; did you mean 't1'? (tasks: t0, t1, t2)" in done.stderr
    assert not (tmp_path / "run").exists()
    assert "active: t11" in mtl("validate", tmp_path / "toy.yaml", "--set", "learn=[t11]").stdout
