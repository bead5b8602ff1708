"""Runs with auxiliary tasks: weights, schedules, saved heads, reported metrics, reproducibility."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sentences import OPTIONS_BY_TYPE, build_block, build_many_rows, load_config, write_rows

from mtl_core.artifacts.history import EpochRecord
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import sample_token_mask
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.build_network import build_network
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.callback import NullCallback
from mtl_core.training.gradients import StepGradients
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step

CPU = torch.device("cpu")
ALL = [name for name in OPTIONS_BY_TYPE if name != "auxiliary-target"]  # it learns the same column as the adversary


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data.csv`."""
    folder = tmp_path_factory.mktemp("place")
    write_rows(folder, build_many_rows())
    return folder


@pytest.fixture(scope="module")
def baseline_run(data_dir: Path) -> Path:
    """A run without auxiliary tasks."""
    run_experiment(load_config(data_dir, []), data_dir / "without")
    return data_dir / "without"


@pytest.fixture(scope="module")
def saved_heads_run(data_dir: Path) -> Path:
    """A run with one auxiliary task per type, whose heads are saved."""
    run_experiment(
        load_config(data_dir, [build_block(name, save_head=True, weight=0.1) for name in ALL]), data_dir / "kept"
    )
    return data_dir / "kept"


@pytest.fixture(scope="module")
def discarded_heads_run(data_dir: Path) -> Path:
    """The same run without saved auxiliary heads."""
    run_experiment(load_config(data_dir, [build_block(name, weight=0.1) for name in ALL]), data_dir / "dropped")
    return data_dir / "dropped"


def build_parts(loaded: ExperimentConfig) -> tuple[FittedData, MultiTaskNetwork, Objective]:
    data = prepare(loaded)
    return data, build_network(loaded, data.encoder, data.groups), Objective(data.groups, loaded.weighting)


def read_metrics(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


# ── weight and schedule ──


def compute_losses(
    data: FittedData, network: MultiTaskNetwork, objective: Objective
) -> tuple[float, list[float], list[int]]:
    """Return the total loss, each computed task loss, and the indices of the skipped groups."""
    batch = data.examples.build_batch(data.split.train, CPU, active_groups=objective.active_groups)
    masks = objective.compute_masks(batch)
    output_masks = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    outputs = network.eval()(batch.inputs, output_masks, batch.masked_inputs)
    losses = objective.compute_task_losses(outputs, batch, masks)
    skipped_groups = [index for index, output in enumerate(outputs) if output is None]
    assert set(batch.masked_inputs) <= {index for index, output in enumerate(outputs) if output is not None}
    return float(objective.compute_total(losses).detach()), losses.values.tolist(), skipped_groups


def test_schedule_changes_the_weight_and_zero_weight_skips_the_task(data_dir: Path) -> None:
    annealed = build_block("masked-tokens", weight=0.5, schedule={"type": "linear"})
    rising = build_block("sentence-length", weight=2.0, schedule={"type": "constant", "warmup": 0.5})
    data, network, objective = build_parts(load_config(data_dir, [annealed, rising]))
    for step, masked, length in ((0, 1.0, 0.02), (50, 0.5, 1.0), (75, 0.25, 1.0)):
        objective.on_step_start(step, 100)
        total, values, skipped_groups = compute_losses(data, network, objective)
        assert skipped_groups == []
        assert total == pytest.approx(values[0] + 0.5 * masked * values[1] + 2.0 * length * values[2], rel=1e-5)
    objective.on_step_start(100, 100)
    assert objective.active_groups == [True, False, True]
    total, values, skipped_groups = compute_losses(data, network, objective)
    assert skipped_groups == [1]
    assert total == pytest.approx(values[0] + 2.0 * values[1], rel=1e-5)


def test_task_annealed_to_zero_is_not_updated(data_dir: Path) -> None:
    from accelerate import Accelerator

    data, network, objective = build_parts(
        load_config(data_dir, [build_block("bag-of-words", schedule={"type": "cosine"})])
    )
    accelerator = Accelerator()
    optimizer = accelerator.prepare(torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5))
    head_group = network.head_groups()[1]

    def is_updated(step: int) -> bool:
        objective.on_step_start(step, 10)
        batch = data.examples.build_batch(data.split.train, CPU, sample_token_mask, objective.active_groups)
        before = {name: value.clone() for name, value in head_group.state_dict().items()}
        gradients = StepGradients(accelerator, network, objective.group_sizes)
        training_step(gradients, network, objective, optimizer, batch, None)
        return any(not torch.equal(before[name], value) for name, value in head_group.state_dict().items())

    assert is_updated(0)
    assert not is_updated(10)
    assert is_updated(5)


@pytest.mark.parametrize("name", OPTIONS_BY_TYPE)
def test_weight_0_equals_a_run_without_the_task(data_dir: Path, baseline_run: Path, name: str, tmp_path: Path) -> None:
    run_experiment(load_config(data_dir, [build_block(name, weight=0.0)]), tmp_path / "none")
    run_experiment(load_config(data_dir, [build_block(name, weight=0.5)]), tmp_path / "some")
    for file in ("model.safetensors", "predictions.jsonl"):
        assert (tmp_path / "none" / file).read_bytes() == (baseline_run / file).read_bytes()
    assert (tmp_path / "some" / "model.safetensors").read_bytes() != (baseline_run / "model.safetensors").read_bytes()
    baseline_rows, zero_weight_rows = (
        list(csv.DictReader((run / "history.csv").open())) for run in (baseline_run, tmp_path / "none")
    )
    for before, after in zip(baseline_rows, zero_weight_rows, strict=True):
        assert before.items() <= after.items()
        assert all(after[column] == "" for column in after.keys() - before.keys())  # no loss was computed
        assert len(after) > len(before)


# ── reported metrics and saved heads ──


def test_auxiliary_tasks_are_reported_separately_and_excluded_from_overall(
    baseline_run: Path, discarded_heads_run: Path
) -> None:
    baseline_metrics, auxiliary_metrics = read_metrics(baseline_run), read_metrics(discarded_heads_run)
    names = [name for name in ALL if name != "opinion-words"] + ["opinion-words.positive", "opinion-words.negative"]
    for split_name in ("validation", "test"):
        split_metrics = auxiliary_metrics["splits"][split_name]
        assert split_metrics["tasks"].keys() == {"mood"}
        assert (
            split_metrics["overall"]["n"]
            == baseline_metrics["splits"][split_name]["overall"]["n"]
            == split_metrics["tasks"]["mood"]["n"]
            == 12
        )
        assert split_metrics["overall"]["accuracy"] == split_metrics["tasks"]["mood"]["accuracy"]
        assert set(split_metrics["auxiliary"]) == set(names)
        assert "auxiliary" not in baseline_metrics["splits"][split_name]
    for name, score in auxiliary_metrics["splits"]["validation"]["auxiliary"].items():
        assert score["n"] > 0, name
    assert set(auxiliary_metrics["auxiliary"]) == set(ALL)
    for name, cost in auxiliary_metrics["auxiliary"].items():
        assert cost["weight"] == 0.1
        assert cost["parameters"] > 0, name
        assert cost["step_ms"] > 0
        assert cost["without_ms"] > 0
    assert auxiliary_metrics["data"]["label_counts"]["train"].keys() == {"mood"}


def test_no_auxiliary_task_selects_an_epoch(data_dir: Path, baseline_run: Path, discarded_heads_run: Path) -> None:
    columns = (discarded_heads_run / "history.csv").read_text().splitlines()[0].split(",")
    assert {column for column in columns if column.startswith("validation.")} == {
        column
        for column in (baseline_run / "history.csv").read_text().splitlines()[0].split(",")
        if column.startswith("validation.")
    }
    training = {"epochs": 1, "select": {"aggregation": "sentence-length"}}
    with pytest.raises(MtlError, match=r"training\.select\.aggregation: unknown 'sentence-length'.*known: .*mood"):
        run_experiment(load_config(data_dir, [build_block("sentence-length")], training=training), data_dir / "never")


def test_auxiliary_heads_are_saved_only_if_configured(
    baseline_run: Path, discarded_heads_run: Path, saved_heads_run: Path
) -> None:
    plain, small, large = (
        load_file(run / "model.safetensors") for run in (baseline_run, discarded_heads_run, saved_heads_run)
    )
    assert small.keys() == plain.keys()
    assert {name: value.shape for name, value in small.items()} == {name: v.shape for name, v in plain.items()}
    assert len(large) > len(small)
    assert all(torch.equal(large[name], small[name]) for name in small if not name.startswith("groups."))
    assert [task.name for task in load_run(discarded_heads_run).main_tasks] == ["mood"]
    assert len(load_run(discarded_heads_run).groups) == 1


def test_predict_returns_saved_tasks_only(discarded_heads_run: Path, saved_heads_run: Path, mtl: Any) -> None:
    def predict_tasks(run: Path) -> dict[str, Any]:
        result = mtl("predict", run, "The soup was good tonight .", "--json")
        assert result.returncode == 0, result.stderr
        tasks: dict[str, Any] = json.loads(result.stdout)["tasks"]
        return tasks

    assert predict_tasks(discarded_heads_run).keys() == {"mood"}
    predictions = predict_tasks(saved_heads_run)
    assert predictions.keys() == {"mood", *[name for name in ALL if name != "opinion-words"],
                           "opinion-words.positive", "opinion-words.negative"}  # fmt: skip
    for name in ("word-frequency", "part-of-speech", "masked-tokens", "reconstruction"):
        assert len(predictions[name]["label"]) == 6, name
    assert predictions["sentence-length"]["label"] in {"up to 6", "7 or more"}
    assert set(predictions["opinion-words.positive"]["probabilities"]) == {"yes", "no"}
    assert predictions["aspect-presence"]["label"] in ([], ["mood"])


def test_saved_heads_predict_the_same_after_loading(data_dir: Path, saved_heads_run: Path) -> None:
    saved_run = load_run(saved_heads_run)
    names = [task.name for group in saved_run.groups for task in group.tasks]
    records = [json.loads(line) for line in (saved_heads_run / "predictions.jsonl").read_text().splitlines()]
    from mtl_core.runs.predict_inputs import predict
    from mtl_core.runs.prediction_inputs import parse_texts

    predictions = list(predict(saved_run, parse_texts([record["text"] for record in records])))
    for before, after in zip(records, predictions, strict=True):
        assert list(before["tasks"]) == names
        for name in names:
            if name != "masked-tokens":  # its inputs are masked during evaluation
                assert before["tasks"][name]["label"] == after["tasks"][name]["label"], name


def test_evaluate_scores_main_tasks_only(data_dir: Path, saved_heads_run: Path, mtl: Any) -> None:
    result = mtl("evaluate", saved_heads_run, "--data", data_dir / "data.csv")
    assert result.returncode == 0, result.stderr
    assert "mood" in result.stdout
    assert "sentence-length" not in result.stdout


# ── masked tokens ──


def test_token_masks_do_not_change_other_tasks(data_dir: Path) -> None:
    loaded = load_config(data_dir, [build_block("bag-of-words"), build_block("masked-tokens", mask_ratio=0.5)])
    data, network, _ = build_parts(loaded)
    rows = data.split.validation
    all_outputs, partial_outputs = (
        list(run_network(network, data.examples, rows, CPU, is_active)) for is_active in (None, [True, True, False])
    )
    for all_batch, partial_batch in zip(all_outputs, partial_outputs, strict=True):
        assert partial_batch.groups[2] is None
        assert not partial_batch.batch.masked_inputs
        assert all_batch.batch.masked_inputs
        assert torch.equal(all_batch.batch.inputs, partial_batch.batch.inputs)
        for group_index in (0, 1):
            all_group, partial_group = all_batch.groups[group_index], partial_batch.groups[group_index]
            assert all_group is not None
            assert partial_group is not None
            assert torch.equal(all_group.outputs, partial_group.outputs)


def test_token_masks_vary_in_training_and_are_fixed_in_evaluation(data_dir: Path) -> None:
    data, _, _ = build_parts(load_config(data_dir, [build_block("masked-tokens", mask_ratio=0.3)]))
    rows = np.arange(6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        training = [data.examples.build_batch(rows, CPU, sample_token_mask).masked_inputs[1] for _ in range(2)]
    scoring = [data.examples.build_batch(rows, CPU).masked_inputs[1] for _ in range(2)]
    assert not torch.equal(*training)
    assert torch.equal(*scoring)


# ── reproducibility ──


class Interrupt(BaseException):
    """Simulates Ctrl-C."""


class InterruptAfter(NullCallback):
    """Interrupts the run after some batches."""

    def __init__(self, batches: int) -> None:
        self.remaining_batches = batches

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        self.remaining_batches -= 1
        if not self.remaining_batches:
            raise Interrupt

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Do nothing."""


def read_results(run: Path) -> dict[str, Any]:
    """Return everything of a run that must be reproducible: all except times."""
    files = ("model.safetensors", "history.csv", "predictions.jsonl", "state.json", "config.yaml")
    run_metrics = read_metrics(run)
    del run_metrics["timing"]
    for cost in run_metrics["auxiliary"].values():
        del cost["step_ms"], cost["without_ms"], cost["measurable"]
    return {**{name: (run / name).read_bytes() for name in files}, "metrics.json": run_metrics}


@pytest.mark.parametrize("refit", [False, True])
def test_a_run_is_repeated_and_resumed_within_an_epoch_bit_for_bit(data_dir: Path, tmp_path: Path, refit: bool) -> None:
    blocks = [
        build_block("masked-tokens", weight=0.3, schedule={"type": "linear"}, save_head=True),
        build_block("adversarial", weight=0.2, schedule={"type": "constant", "warmup": 0.5}),
        build_block("opinion-words", weight=0.2),
    ]
    training = {"epochs": 2, "batch_size": 8, "checkpoint_steps": 1, "refit": refit}
    loaded = load_config(data_dir, blocks, training=training)
    for name in ("first", "second"):
        run_experiment(loaded, tmp_path / name)
    expected = read_results(tmp_path / "first")
    assert read_results(tmp_path / "second") == expected
    for batches in (2, 5, 7):
        interrupted_run = tmp_path / f"cut-{batches}"
        with pytest.raises(Interrupt):
            run_experiment(loaded, interrupted_run, InterruptAfter(batches))
        resume_run(interrupted_run)
        assert read_results(interrupted_run) == expected, f"interrupted after {batches} batches"
