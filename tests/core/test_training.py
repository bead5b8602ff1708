"""Complete runs: bitwise reproducibility, also of killed and resumed runs; selection of the weights."""

import csv
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from toy import CLASSES, tensor_bits, toy_config, write_experiment

from mtl_core.artifacts.history import EpochRecord
from mtl_core.cli.app import main
from mtl_core.config.load import load_experiment
from mtl_core.data.batches import Examples
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import run_network
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.callback import NullCallback

pytestmark = pytest.mark.usefixtures("placeholder_reports")

FILES = [
    "model.safetensors",
    "history.csv",
    "predictions.jsonl",
    "outputs.safetensors",
    "mistakes.jsonl",
    "state.json",
    "config.yaml",
]
ALWAYS_WRITTEN = ["MODEL_CARD.md", "provenance.json"]
"""Files that contain times, or the state of the machine."""


def read_results(run: Path) -> dict[str, bytes]:
    """Return the content of all reproducible files of a run: all except timings."""
    contents = {name: (run / name).read_bytes() for name in FILES if (run / name).exists()}
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["timing"]
    return {**contents, "metrics.json": json.dumps(metrics).encode()}


def read_history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as lines:
        return list(csv.DictReader(lines))


def run_toy(folder: Path, name: str = "run", **blocks: Any) -> Path:
    run_experiment(toy_config(folder, **blocks), folder / name)
    return folder / name


# ── reproducibility ──


def global_states() -> list[object]:
    return [
        torch.get_rng_state().tolist(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        repr(np.random.get_state()),
        random.getstate(),
    ]


@pytest.fixture
def deterministic_switch() -> Iterator[Callable[[bool, bool], None]]:
    def switch(on: bool, warn_only: bool) -> None:
        torch.use_deterministic_algorithms(on, warn_only=warn_only)

    yield switch
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("on", "warn_only"), [(False, False), (True, False), (True, True)])
def test_two_runs_are_equal_and_keep_the_global_state(
    tmp_path: Path, deterministic_switch: Callable[[bool, bool], None], on: bool, warn_only: bool
) -> None:
    run_toy(tmp_path, "warm-up")  # importing rich draws from Python's random generator
    deterministic_switch(on, warn_only)
    torch.manual_seed(1)
    before = global_states()
    first = run_toy(tmp_path, "first", data={"type": "toy", "test_rows": 10})
    assert global_states() == before
    torch.rand(100)
    np.random.random(10)  # other code draws random numbers
    second = run_toy(tmp_path, "second", data={"type": "toy", "test_rows": 10})
    assert read_results(first) == read_results(second)


def test_failing_run_keeps_the_global_state(tmp_path: Path) -> None:
    run_toy(tmp_path, "warm-up")
    before = global_states()
    with pytest.raises(MtlError):
        run_toy(tmp_path, training={"select": {"aggregation": "nothing"}})
    with pytest.raises(Interrupt):
        run_experiment(toy_config(tmp_path), tmp_path / "run", InterruptAfter(3))
    assert global_states() == before


def test_another_seed_changes_the_weights(tmp_path: Path) -> None:
    first, second = run_toy(tmp_path, "first"), run_toy(tmp_path, "second", seed=2)
    assert read_results(first)["model.safetensors"] != read_results(second)["model.safetensors"]


def test_two_precisions_in_one_process(tmp_path: Path) -> None:
    first_run = run_toy(tmp_path, "exact")
    run_toy(tmp_path, "half", training={"epochs": 3, "batch_size": 8, "precision": "bf16"})
    repeated = run_toy(tmp_path, "again")
    assert read_results(repeated) == read_results(first_run)
    assert read_results(tmp_path / "half")["model.safetensors"] != read_results(first_run)["model.safetensors"]


def test_packaged_experiment_is_reproducible(tmp_path: Path) -> None:
    pytest.importorskip("absa_plugin")
    part = "split={type: random, validation: 0.8}"  # stratified splits are tested with the splitters
    config = load_experiment("absa-sample", ["training.epochs=2", part]).config
    for name in ("first", "second"):
        run_experiment(config, tmp_path / name)
    assert read_results(tmp_path / "first") == read_results(tmp_path / "second")


def test_unlabelled_rows_change_no_bit(tmp_path: Path) -> None:
    blocks: dict[str, Any] = {"optimizer": {"type": "adamw", "lr": 0.02, "weight_decay": 0.1}}
    for refit in (False, True):
        training = {"epochs": 3, "batch_size": 8, "refit": refit}
        labelled_run, extended_run = (
            run_toy(
                tmp_path,
                f"{unlabelled_every}-{refit}",
                data={"type": "toy", "unlabelled_every": unlabelled_every},
                training=training,
                **blocks,
            )
            for unlabelled_every in (0, 3)
        )
        warnings = json.loads((extended_run / "metrics.json").read_text())["data"]["warnings"]
        assert any("20 training examples have no label for any task" in warning for warning in warnings)
        for name in ("model.safetensors", "history.csv", "predictions.jsonl", "state.json"):
            assert read_results(labelled_run)[name] == read_results(extended_run)[name], name


# ── resuming ──


class Interrupt(BaseException):
    """Ends a run like Ctrl-C."""


class InterruptAfter(NullCallback):
    """A callback that stops the run at the n-th event of a training: a batch, or the end of an epoch."""

    def __init__(self, events: int) -> None:
        self.events_left = events

    def _count_event(self) -> None:
        self.events_left -= 1
        if self.events_left == 0:
            raise Interrupt

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        self._count_event()

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        self._count_event()


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"training": {"epochs": 3, "batch_size": 16}},
    "each step": {
        "training": {"epochs": 3, "batch_size": 16, "checkpoint_steps": 1},
        "schedule": {"type": "linear", "warmup": 0.2},
    },
    "refit": {
        "training": {"epochs": 3, "batch_size": 16, "checkpoint_steps": 2, "refit": True},
        "optimizer": {"type": "sgd", "lr": 0.05},
        "schedule": {"type": "cosine"},
    },
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_run_can_be_interrupted_at_any_event(tmp_path: Path, setting: str) -> None:
    blocks = {"data": {"type": "toy", "rows": 50, "test_rows": 5}, **SETTINGS[setting]}
    expected = read_results(run_toy(tmp_path, "whole", **blocks))
    config = toy_config(tmp_path, **blocks)
    events = 0
    while True:
        events += 1
        path = tmp_path / f"cut-{events}"
        try:
            run_experiment(config, path, InterruptAfter(events))
            break  # the run has fewer events
        except Interrupt:
            assert not (path / "metrics.json").exists()
        resume_run(path)
        assert read_results(path) == expected, f"interrupted at event {events}"
        assert sorted(file.name for file in path.iterdir()) == sorted([*ALWAYS_WRITTEN, *expected])
    assert events > 3 * 4


def test_run_can_be_interrupted_repeatedly(tmp_path: Path) -> None:
    blocks = SETTINGS["each step"]
    expected = read_results(run_toy(tmp_path, "whole", **blocks))
    path = tmp_path / "cut"
    with pytest.raises(Interrupt):
        run_experiment(toy_config(tmp_path, **blocks), path, InterruptAfter(2))
    for _ in range(100):
        try:
            resume_run(path, InterruptAfter(2))
            break
        except Interrupt:
            continue
    assert read_results(path) == expected


def test_partially_written_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupt):
        run_experiment(toy_config(tmp_path), path, InterruptAfter(12))
    for name in (".checkpoint.safetensors.x1y2", ".metrics.json.x1y2"):
        (path / name).write_bytes(b"half")
    (path / "notes.txt").write_text("mine")
    resume_run(path)
    assert sorted(file.name for file in path.iterdir()) == sorted([*ALWAYS_WRITTEN, "notes.txt", *read_results(path)])


def test_complete_run_and_missing_folder_cannot_be_resumed(tmp_path: Path) -> None:
    path = run_toy(tmp_path)
    with pytest.raises(MtlError, match="this run is complete"):
        resume_run(path)
    with pytest.raises(MtlError, match="no such run directory"):
        resume_run(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", [b"", b"\x10\x00\x00\x00\x00\x00\x00\x00not a header", None])
def test_damaged_checkpoint_is_refused(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "run"
    with pytest.raises(Interrupt):
        run_experiment(toy_config(tmp_path, **SETTINGS["each step"]), path, InterruptAfter(4))
    checkpoint = path / "checkpoint.safetensors"
    checkpoint.write_bytes(damage if damage is not None else checkpoint.read_bytes()[:-100])
    with pytest.raises(MtlError, match="this checkpoint cannot be resumed from"):
        resume_run(path)


LONG: dict[str, Any] = {
    "data": {"type": "toy", "rows": 400, "test_rows": 20},
    "encoder": "array",
    "schedule": {"type": "linear", "warmup": 0.1},
}
KILLS: dict[str, tuple[dict[str, Any], str]] = {
    "after an epoch, with early stopping": (
        {"epochs": 40, "batch_size": 16, "patience": 10},
        "checkpoint.safetensors",
    ),
    "within an epoch": ({"epochs": 3, "batch_size": 4, "checkpoint_steps": 1}, "checkpoint.safetensors"),
    "during the refit": (
        {"epochs": 15, "batch_size": 16, "refit": True, "checkpoint_steps": 3},
        "checkpoint-refit.safetensors",
    ),
}


def read_training_state(checkpoint: Path) -> dict[str, Any]:
    with safe_open(checkpoint, framework="pt") as file:
        training_state: dict[str, Any] = json.loads(file.metadata()["position"])
    return training_state


def kill_at(process: BaseProcess, checkpoint: Path, matches: Callable[[dict[str, Any]], bool]) -> None:
    """Pause the process when there is a checkpoint, and kill it if the training state matches; else resume it."""
    assert process.pid is not None
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.is_alive():
        if checkpoint.exists():
            os.kill(process.pid, signal.SIGSTOP)
            if matches(read_training_state(checkpoint)):
                break
            os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.002)
    assert process.is_alive(), "the run ended before it could be killed"
    process.kill()
    process.join()


@pytest.mark.parametrize("case", KILLS)
def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path, case: str, mtl_fork: Any) -> None:
    training, file = KILLS[case]
    experiment = write_experiment(tmp_path, **LONG, training=training)
    path = tmp_path / "killed"
    process = mtl_fork(tmp_path / "log", "run", experiment, "--out", path)
    is_within_epoch = "checkpoint_steps" in training
    kill_at(process, path / file, lambda state: state["batch"] > 0 if is_within_epoch else state["epoch"] > 0)
    assert not (path / "metrics.json").exists()
    expected = run_toy(tmp_path, "whole", **LONG, training=training)
    if "early" in case:
        assert len(read_history(expected)) < training["epochs"]

    with pytest.raises(SystemExit) as excinfo:
        main(["resume", str(path)])
    assert not excinfo.value.code

    assert read_results(path) == read_results(expected)
    assert sorted(file.name for file in path.iterdir()) == sorted([*read_results(path), *ALWAYS_WRITTEN, "report.html"])


# ── selection of the weights ──


def compute_validation_accuracy(path: Path) -> float:
    saved = load_run(path)
    prepared = prepare(saved.config)
    rows = prepared.split.validation
    n_correct = n_labels = 0
    for batch in run_network(saved.network, prepared.examples, rows, torch.device("cpu")):
        for group, head_output, targets in zip(prepared.groups, batch.groups, batch.batch.targets, strict=True):
            assert head_output is not None
            mask = group.mask(targets)
            n_correct += int((head_output.outputs.argmax(dim=2) == targets)[mask].sum())
            n_labels += int(mask.sum())
    return n_correct / n_labels


OVERFIT: dict[str, Any] = {"optimizer": {"type": "adam", "lr": 0.1}, "data": {"type": "toy", "rows": 80}}


@pytest.mark.parametrize("seed", range(3))
def test_the_weights_are_those_of_the_best_validation_epoch(tmp_path: Path, seed: int) -> None:
    full_run = run_toy(tmp_path, "whole", seed=seed, training={"epochs": 8, "batch_size": 8}, **OVERFIT)
    scores = [float(row["validation.overall.accuracy"]) for row in read_history(full_run)]
    best = scores.index(max(scores)) + 1  # the first of equally good epochs
    assert json.loads((full_run / "metrics.json").read_text())["model"]["best_epoch"] == best
    assert compute_validation_accuracy(full_run) == pytest.approx(max(scores))
    # A run of that many epochs, with the same batches and no schedule, ends with the same weights.
    short_run = run_toy(tmp_path, "short", seed=seed, training={"epochs": best, "batch_size": 8}, **OVERFIT)
    assert read_results(short_run)["model.safetensors"] == read_results(full_run)["model.safetensors"]
    assert len(set(scores)) > 1


def test_patience_is_the_number_of_epochs_after_the_best(tmp_path: Path) -> None:
    long = run_toy(tmp_path, "long", training={"epochs": 25, "batch_size": 8}, **OVERFIT)
    stopped = run_toy(tmp_path, "stopped", training={"epochs": 25, "batch_size": 8, "patience": 3}, **OVERFIT)
    epochs = len(read_history(stopped))
    best = json.loads((stopped / "metrics.json").read_text())["model"]["best_epoch"]
    assert epochs == best + 3 < 25
    assert read_history(stopped) == read_history(long)[:epochs]


def test_last_epoch_is_selected_without_validation_data(tmp_path: Path) -> None:
    run_dir = run_toy(tmp_path, split={"type": "stratified", "validation": 0.0}, **OVERFIT)
    assert json.loads((run_dir / "metrics.json").read_text())["model"]["best_epoch"] == 3
    assert not any(name.startswith("validation") for name in read_history(run_dir)[0])
    with_patience = run_toy(
        tmp_path, "patience", split={"type": "stratified", "validation": 0.0},
        training={"epochs": 6, "batch_size": 8, "patience": 1}, **OVERFIT,
    )  # fmt: skip
    assert len(read_history(with_patience)) == 6


@pytest.mark.parametrize(
    "training", [{"epochs": 6, "patience": 2}, {"epochs": 4, "refit": True}], ids=["patience", "refit"]
)
def test_test_data_does_not_affect_selection(tmp_path: Path, training: dict[str, Any]) -> None:
    right, wrong = (
        run_toy(tmp_path, f"{wrong}", data={"type": "toy", "test_rows": 30, "wrong_test": wrong}, training=training)
        for wrong in (False, True)
    )
    for name in ("model.safetensors", "history.csv", "state.json"):
        assert read_results(right)[name] == read_results(wrong)[name]
    splits = [json.loads((run / "metrics.json").read_text())["splits"] for run in (right, wrong)]
    assert splits[0]["validation"] == splits[1]["validation"]
    assert splits[0]["test"]["overall"]["accuracy"] > splits[1]["test"]["overall"]["accuracy"]


def test_another_metric_selects_another_epoch(tmp_path: Path) -> None:
    best_epochs = {}
    for aggregation in ("overall", "t0", "t1", "t2"):
        training = {"epochs": 8, "batch_size": 8, "select": {"metric": "accuracy", "aggregation": aggregation}}
        path = run_toy(tmp_path, aggregation, training=training, **OVERFIT)
        scores = [float(row[f"validation.{aggregation}.accuracy"]) for row in read_history(path)]
        best_epochs[aggregation] = scores.index(max(scores)) + 1
        assert json.loads((path / "metrics.json").read_text())["model"]["best_epoch"] == best_epochs[aggregation]
    assert len(set(best_epochs.values())) > 1


def test_refit_trains_on_everything_for_the_best_number_of_epochs(tmp_path: Path) -> None:
    path = run_toy(tmp_path, training={"epochs": 5, "batch_size": 8, "refit": True}, **OVERFIT)
    best = json.loads((path / "metrics.json").read_text())["model"]["best_epoch"]
    stages = [row["stage"] for row in read_history(path)]
    assert stages == ["selection"] * 5 + ["refit"] * best
    run_without_validation = run_toy(
        tmp_path, "alone", split={"type": "stratified", "validation": 0.0},
        training={"epochs": best, "batch_size": 8}, **OVERFIT,
    )  # fmt: skip
    assert (
        load_file(path / "model.safetensors").keys() == load_file(run_without_validation / "model.safetensors").keys()
    )
    assert read_results(path)["model.safetensors"] == read_results(run_without_validation)["model.safetensors"]


def test_training_learns_what_can_be_learned(tmp_path: Path) -> None:
    data = {"type": "toy", "rows": 300, "test_rows": 100, "labelled": 0.9}
    path = run_toy(tmp_path, data=data, training={"epochs": 15, "batch_size": 16})
    overall = json.loads((path / "metrics.json").read_text())["splits"]["test"]["overall"]
    assert overall["accuracy"] > 0.7 > overall["majority_accuracy"] + 0.2


# ── after loading ──


def compute_outputs(path: Path) -> dict[str, bytes]:
    """Return the outputs of a loaded run for all of its data, by task, as bytes."""
    saved = load_run(path)
    items = saved.encoder.encode(saved.encoder.parse(saved.get_loader().load().inputs))
    examples = Examples(saved.encoder, items, np.ones(len(items), dtype=np.int64), [])
    names = [[task.name for task in group.tasks] for group in saved.groups]
    outputs = {name: torch.full((len(items), len(CLASSES)), torch.nan) for group in names for name in group}
    for batch in run_network(saved.network, examples, np.arange(len(items)), torch.device("cpu")):
        for group, head_output in zip(names, batch.groups, strict=True):
            assert head_output is not None
            for column, name in enumerate(group):
                outputs[name][batch.rows] = head_output.outputs[:, column]
    return tensor_bits(outputs)


def read_probabilities(path: Path) -> dict[str, list[list[float]]]:
    probabilities_by_task: dict[str, list[list[float]]] = {}
    for line in (path / "predictions.jsonl").read_text().splitlines():
        for name, task in json.loads(line)["tasks"].items():
            probabilities_by_task.setdefault(name, []).append([task["probabilities"][label] for label in CLASSES])
    return probabilities_by_task


def build_task_block(name: str, head: str = "linear", **keys: Any) -> dict[str, Any]:
    kind = {"type": "classification", "classes": CLASSES}
    return {"name": name, "kind": kind, "head": head, "mask": "exclude-labels", **keys}


LAYOUTS: dict[str, list[dict[str, Any]]] = {
    "derived": [{"each": "*", **{key: value for key, value in build_task_block("").items() if key != "name"}}],
    "named": [build_task_block("t0"), build_task_block("t1"), build_task_block("t2")],
    "two groups": [build_task_block("t0"), build_task_block("t1", "toy-grouped"), build_task_block("t2")],
    "two tasks on one column": [
        build_task_block("a", label="t1"),
        build_task_block("b", "toy-grouped", label="t1"),
        build_task_block("c", label="t2"),
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_loaded_run_predicts_like_the_trained_network(tmp_path: Path, layout: str) -> None:
    path = run_toy(tmp_path, tasks=LAYOUTS[layout])
    expected = read_probabilities(path)
    outputs = compute_outputs(path)
    assert outputs.keys() == expected.keys()
    rows = prepare(load_run(path).config).split.validation
    for name, bits in outputs.items():
        logits = torch.frombuffer(bytearray(bits), dtype=torch.float32).view(-1, 3)[torch.from_numpy(rows)]
        torch.testing.assert_close(torch.softmax(logits, dim=1), torch.tensor(expected[name]), atol=1e-6, rtol=0)
    assert len(set(outputs.values())) == len(outputs)  # no two tasks have equal outputs


@pytest.mark.parametrize("layout", ["named", "two groups"])
def test_heads_are_matched_to_tasks_by_name(tmp_path: Path, layout: str) -> None:
    path = run_toy(tmp_path, tasks=LAYOUTS[layout])
    expected = compute_outputs(path)
    for order in ([2, 1, 0], [1, 2, 0]):
        reordered = Path(shutil.copytree(path, tmp_path / f"turned-{order}"))
        config = yaml.safe_load((reordered / "config.yaml").read_text())
        config["tasks"] = [config["tasks"][index] for index in order]
        (reordered / "config.yaml").write_text(yaml.safe_dump(config))
        assert compute_outputs(reordered) == expected


def test_derived_tasks_keep_the_order_of_the_run(
    tmp_path: Path,
) -> None:
    path = run_toy(tmp_path, tasks=LAYOUTS["derived"])
    expected = compute_outputs(path)
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["data"]["reverse"] = True
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    saved = load_run(path)
    assert list(saved.get_loader().load().labels) == ["t2", "t1", "t0"]
    assert compute_outputs(path) == expected


def test_loaded_run_is_one_shared_network(tmp_path: Path) -> None:
    saved = load_run(run_toy(tmp_path))
    before = {name: tensor.clone() for name, tensor in saved.network.state_dict().items()}
    inputs = torch.randn(4, 6)

    def compute_task_outputs() -> torch.Tensor:
        (head_output,) = saved.network(inputs)
        values: torch.Tensor = head_output.outputs
        return values

    outputs_before = compute_task_outputs()
    with torch.no_grad():
        next(saved.network.trunk.parameters()).add_(1.0)
    outputs_after = compute_task_outputs()
    assert not any(torch.equal(outputs_before[:, task], outputs_after[:, task]) for task in range(3))
    assert before.keys() == load_file(tmp_path / "run" / "model.safetensors").keys()
