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
from sentences import TYPES, block, config, many_rows, write_rows

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import run_network
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.prepare import Prepared, build_network, prepare
from mtl_core.runs.run import SilentView, resume_run, run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.training.batches import hide_at_random
from mtl_core.training.gradients import StepGradients
from mtl_core.training.history import EpochRecord
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step

CPU = torch.device("cpu")
ALL = [name for name in TYPES if name != "inverse"]  # it learns the same column as the adversary


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data.csv`."""
    folder = tmp_path_factory.mktemp("place")
    write_rows(folder, many_rows())
    return folder


@pytest.fixture(scope="module")
def without(place: Path) -> Path:
    """A run without auxiliary tasks."""
    run_experiment(config(place, []), place / "without")
    return place / "without"


@pytest.fixture(scope="module")
def kept(place: Path) -> Path:
    """A run with one auxiliary task per type, whose heads are saved."""
    run_experiment(config(place, [block(name, keep=True, weight=0.1) for name in ALL]), place / "kept")
    return place / "kept"


@pytest.fixture(scope="module")
def dropped(place: Path) -> Path:
    """The same run without saved auxiliary heads."""
    run_experiment(config(place, [block(name, weight=0.1) for name in ALL]), place / "dropped")
    return place / "dropped"


def made(loaded: ExperimentConfig) -> tuple[Prepared, MultiTaskNetwork, Objective]:
    found = prepare(loaded)
    return found, build_network(loaded, found.encoder, found.groups), Objective(found.groups, loaded.weighting)


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


# ── weight and schedule ──


def losses_of(
    found: Prepared, network: MultiTaskNetwork, objective: Objective
) -> tuple[float, list[float], list[int]]:
    """Return the total loss, each computed task loss, and the indices of the skipped groups."""
    batch = found.examples.batch(found.split.train, CPU, needed=objective.needed)
    masks = objective.masks(batch)
    wanted = [mask if mask.ndim == 2 else mask.any(dim=2) for mask in masks]
    said = network.eval()(batch.inputs, wanted, batch.hidden)
    losses = objective.task_losses(said, batch, masks)
    left_out = [place for place, output in enumerate(said) if output is None]
    assert set(batch.hidden) <= {place for place, output in enumerate(said) if output is not None}
    return float(objective.total(losses).detach()), losses.values.tolist(), left_out


def test_a_schedule_moves_the_weight_and_at_nothing_nothing_is_computed(place: Path) -> None:
    annealed = block("masked-tokens", weight=0.5, schedule={"type": "linear"})
    rising = block("sentence-length", weight=2.0, schedule={"type": "constant", "warm_up": 0.5})
    found, network, objective = made(config(place, [annealed, rising]))
    for step, masked, length in ((0, 1.0, 0.02), (50, 0.5, 1.0), (75, 0.25, 1.0)):
        objective.at(step, 100)
        total, values, left_out = losses_of(found, network, objective)
        assert left_out == []
        assert total == pytest.approx(values[0] + 0.5 * masked * values[1] + 2.0 * length * values[2], rel=1e-5)
    objective.at(100, 100)
    assert objective.needed == [True, False, True]
    total, values, left_out = losses_of(found, network, objective)
    assert left_out == [1]
    assert total == pytest.approx(values[0] + 2.0 * values[1], rel=1e-5)


def test_a_task_that_is_annealed_to_nothing_is_not_moved_any_more(place: Path) -> None:
    from accelerate import Accelerator

    found, network, objective = made(config(place, [block("bag-of-words", schedule={"type": "cosine"})]))
    accelerator = Accelerator()
    optimizer = accelerator.prepare(torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5))
    own = network.head_groups()[1]

    def moved(step: int) -> bool:
        objective.at(step, 10)
        batch = found.examples.batch(found.split.train, CPU, hide_at_random, objective.needed)
        before = {name: value.clone() for name, value in own.state_dict().items()}
        gradients = StepGradients(accelerator, network, objective.sizes)
        training_step(gradients, network, objective, optimizer, batch, None)
        return any(not torch.equal(before[name], value) for name, value in own.state_dict().items())

    assert moved(0)
    assert not moved(10)
    assert moved(5)


@pytest.mark.parametrize("name", TYPES)
def test_at_weight_0_the_run_is_the_one_without_it(place: Path, without: Path, name: str, tmp_path: Path) -> None:
    run_experiment(config(place, [block(name, weight=0.0)]), tmp_path / "none")
    run_experiment(config(place, [block(name, weight=0.5)]), tmp_path / "some")
    for file in ("model.safetensors", "predictions.jsonl"):
        assert (tmp_path / "none" / file).read_bytes() == (without / file).read_bytes()
    assert (tmp_path / "some" / "model.safetensors").read_bytes() != (without / "model.safetensors").read_bytes()
    plain, silent = (list(csv.DictReader((run / "history.csv").open())) for run in (without, tmp_path / "none"))
    for before, after in zip(plain, silent, strict=True):
        assert before.items() <= after.items()
        assert all(after[column] == "" for column in after.keys() - before.keys())  # no loss was computed
        assert len(after) > len(before)


# ── reported metrics and saved heads ──


def test_auxiliary_tasks_are_reported_apart_and_count_in_no_overall_figure(without: Path, dropped: Path) -> None:
    alone, helped = metrics(without), metrics(dropped)
    names = [name for name in ALL if name != "opinion-words"] + ["opinion-words.positive", "opinion-words.negative"]
    for part in ("validation", "test"):
        found = helped["splits"][part]
        assert found["tasks"].keys() == {"mood"}
        assert found["overall"]["n"] == alone["splits"][part]["overall"]["n"] == found["tasks"]["mood"]["n"] == 12
        assert found["overall"]["accuracy"] == found["tasks"]["mood"]["accuracy"]
        assert set(found["auxiliary"]) == set(names)
        assert "auxiliary" not in alone["splits"][part]
    for name, score in helped["splits"]["validation"]["auxiliary"].items():
        assert score["n"] > 0, name
    assert set(helped["auxiliary"]) == set(ALL)
    for name, cost in helped["auxiliary"].items():
        assert cost["weight"] == 0.1
        assert cost["parameters"] > 0, name
        assert cost["step_ms"] > 0
        assert cost["without_ms"] > 0
    assert helped["data"]["label_counts"]["train"].keys() == {"mood"}


def test_no_auxiliary_task_chooses_an_epoch(place: Path, without: Path, dropped: Path) -> None:
    columns = (dropped / "history.csv").read_text().splitlines()[0].split(",")
    assert {column for column in columns if column.startswith("validation.")} == {
        column
        for column in (without / "history.csv").read_text().splitlines()[0].split(",")
        if column.startswith("validation.")
    }
    training = {"epochs": 1, "select": {"over": "sentence-length"}}
    with pytest.raises(MtlError, match=r"training\.select\.over: unknown 'sentence-length'.*known: .*mood"):
        run_experiment(config(place, [block("sentence-length")], training=training), place / "never")


def test_auxiliary_heads_are_not_saved_unless_they_are_kept(without: Path, dropped: Path, kept: Path) -> None:
    plain, small, large = (load_file(run / "model.safetensors") for run in (without, dropped, kept))
    assert small.keys() == plain.keys()
    assert {name: value.shape for name, value in small.items()} == {name: v.shape for name, v in plain.items()}
    assert len(large) > len(small)
    assert all(torch.equal(large[name], small[name]) for name in small if not name.startswith("groups."))
    assert [task.name for task in load_run(dropped).main_tasks] == ["mood"]
    assert len(load_run(dropped).groups) == 1


def test_predict_answers_what_was_kept_and_only_that(dropped: Path, kept: Path, mtl: Any) -> None:
    def answers(run: Path) -> dict[str, Any]:
        done = mtl("predict", run, "The soup was good tonight .", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["tasks"]
        return found

    assert answers(dropped).keys() == {"mood"}
    told = answers(kept)
    assert told.keys() == {"mood", *[name for name in ALL if name != "opinion-words"],
                           "opinion-words.positive", "opinion-words.negative"}  # fmt: skip
    for name in ("word-frequency", "part-of-speech", "masked-tokens", "reconstruction"):
        assert len(told[name]["label"]) == 6, name
    assert told["sentence-length"]["label"] in {"up to 6", "7 or more"}
    assert set(told["opinion-words.positive"]["probabilities"]) == {"yes", "no"}
    assert told["mentioned"]["label"] in ([], ["mood"])


def test_what_is_kept_says_after_loading_what_it_said_in_the_run(place: Path, kept: Path) -> None:
    saved = load_run(kept)
    names = [task.name for group in saved.groups for task in group.tasks]
    written = [json.loads(line) for line in (kept / "predictions.jsonl").read_text().splitlines()]
    from mtl_core.runs.predict import predict, questions_from_texts

    again = list(predict(saved, questions_from_texts([record["text"] for record in written])))
    for before, after in zip(written, again, strict=True):
        assert list(before["tasks"]) == names
        for name in names:
            if name != "masked-tokens":  # its inputs are masked during evaluation
                assert before["tasks"][name]["label"] == after["tasks"][name]["label"], name


def test_evaluating_a_run_with_kept_tasks_scores_the_main_ones(place: Path, kept: Path, mtl: Any) -> None:
    done = mtl("evaluate", kept, "--data", place / "data.csv")
    assert done.returncode == 0, done.stderr
    assert "mood" in done.stdout
    assert "sentence-length" not in done.stdout


# ── masked tokens ──


def test_hiding_words_changes_nothing_for_other_tasks(place: Path) -> None:
    loaded = config(place, [block("bag-of-words"), block("masked-tokens", share=0.5)])
    found, network, _ = made(loaded)
    rows = found.split.validation
    both, others = (
        list(run_network(network, found.examples, rows, CPU, asked)) for asked in (None, [True, True, False])
    )
    for with_it, without_it in zip(both, others, strict=True):
        assert without_it.groups[2] is None
        assert not without_it.batch.hidden
        assert with_it.batch.hidden
        assert torch.equal(with_it.batch.inputs, without_it.batch.inputs)
        for place_of in (0, 1):
            one, other = with_it.groups[place_of], without_it.groups[place_of]
            assert one is not None
            assert other is not None
            assert torch.equal(one.outputs, other.outputs)


def test_other_words_are_hidden_in_every_step_but_the_same_ones_in_scoring(place: Path) -> None:
    found, _, _ = made(config(place, [block("masked-tokens", share=0.3)]))
    rows = np.arange(6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        training = [found.examples.batch(rows, CPU, hide_at_random).hidden[1] for _ in range(2)]
    scoring = [found.examples.batch(rows, CPU).hidden[1] for _ in range(2)]
    assert not torch.equal(*training)
    assert torch.equal(*scoring)


# ── reproducibility ──


class Interrupt(BaseException):
    """Simulates Ctrl-C."""


class InterruptAfter(SilentView):
    """Interrupts the run after some batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        self.left -= 1
        if not self.left:
            raise Interrupt

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Do nothing."""


def results(run: Path) -> dict[str, Any]:
    """Return everything of a run that must be reproducible: all except times."""
    files = ("model.safetensors", "history.csv", "predictions.jsonl", "state.json", "config.yaml")
    told = metrics(run)
    del told["timing"]
    for cost in told["auxiliary"].values():
        del cost["step_ms"], cost["without_ms"], cost["measurable"]
    return {**{name: (run / name).read_bytes() for name in files}, "metrics.json": told}


@pytest.mark.parametrize("refit", [False, True])
def test_a_run_is_repeated_and_resumed_within_an_epoch_bit_for_bit(
    place: Path, tmp_path: Path, refit: bool
) -> None:
    blocks = [
        block("masked-tokens", weight=0.3, schedule={"type": "linear"}, keep=True),
        block("adversarial", weight=0.2, schedule={"type": "constant", "warm_up": 0.5}),
        block("opinion-words", weight=0.2),
    ]
    training = {"epochs": 2, "batch_size": 8, "checkpoint_steps": 1, "refit": refit}
    loaded = config(place, blocks, training=training)
    for name in ("first", "second"):
        run_experiment(loaded, tmp_path / name)
    expected = results(tmp_path / "first")
    assert results(tmp_path / "second") == expected
    for batches in (2, 5, 7):
        cut = tmp_path / f"cut-{batches}"
        with pytest.raises(Interrupt):
            run_experiment(loaded, cut, InterruptAfter(batches))
        resume_run(cut)
        assert results(cut) == expected, f"interrupted after {batches} batches"
