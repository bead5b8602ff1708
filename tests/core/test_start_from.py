"""Warm start from a trained network: which weights are loaded, which are not and why, and an exact report."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_training import Interrupt, InterruptAfter, results
from token_parts import SPECIAL, blocks, tasks
from toy import CLASSES, task_block, tensor_bits, toy_config, toy_network

from mtl_core import MtlError
from mtl_core.config.experiment import StartFrom
from mtl_core.model.weights_by_name import weights_by_name
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.runs.start import StartReport, start_from

TRAINED: dict[str, dict[str, Any]] = {
    "separate": {},
    "grouped": {"tasks": [task_block("toy-grouped")]},
    "words": blocks(
        data={"type": "sentences", "rows": 30, "test_rows": 0},
        encoder={"type": "tiny-words", "drop": [",", "wine"]},
        tasks=tasks("wet", "tags", "again"),
        training={"epochs": 1},
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trained runs to load weights from: with separate heads, with grouped heads, with words."""
    folder = tmp_path_factory.mktemp("runs")
    for name, changed in TRAINED.items():
        run_experiment(
            toy_config(folder, **{"training": {"epochs": 1, "batch_size": 16}, **changed}), folder / name
        )
    return {name: folder / name for name in TRAINED}


class New:
    """A new network with its initial weights and with the weights after the warm start."""

    def __init__(self, folder: Path, run: Path, *parts: str, **changed: Any) -> None:
        config = toy_config(folder, **changed)
        prepared, network, _ = toy_network(config)
        names = [[task.name for task in group.tasks] for group in prepared.groups]
        self.drawn = {name: value.clone() for name, value in weights_by_name(network, names).items()}
        self.encoder = prepared.encoder
        self.report: StartReport = start_from(
            StartFrom(run=run, parts=list(parts or ["body.*"])), network, prepared.groups, prepared.encoder
        )
        self.weights = weights_by_name(network, names)
        saved = load_run(run)
        self.saved_encoder = saved.encoder
        self.source = weights_by_name(
            saved.network, [[task.name for task in group.tasks] for group in saved.groups]
        )

    def check(self) -> None:
        """Check that weights reported as loaded equal those of the run bitwise, and all others are unchanged."""
        assert {*self.report.loaded}.isdisjoint(self.report.not_loaded)
        assert {*self.report.loaded, *self.report.not_loaded} == {*self.weights}
        taken = {*self.report.loaded} - {*self.report.by_word}
        now, source, drawn = tensor_bits(self.weights), tensor_bits(self.source), tensor_bits(self.drawn)
        for name, bits in now.items():
            if name in taken:
                assert bits == source[name], name
            elif name in self.report.not_loaded:
                assert bits == drawn[name], name


def test_what_tasks_share_is_taken_unless_more_is_asked_for(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(tmp_path, runs["separate"])
    new.check()
    parts = ["backbone.layers.0.weight", "backbone.layers.0.bias", "input_layer.mean", "input_layer.scale"]
    assert {*new.report.loaded} == {f"body.{part}" for part in parts}
    assert new.report.numbers == 6 * 8 + 8 + 6 + 6
    assert {*new.report.not_loaded.values()} == {"no pattern matches"}
    assert len(new.report.not_loaded) == 3 * 2
    before, after = new.drawn["body.backbone.layers.0.weight"], new.weights["body.backbone.layers.0.weight"]
    assert not torch.equal(before, after)


def test_one_head_by_its_name(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(tmp_path, runs["separate"], "heads.t1.*")
    new.check()
    assert new.report.loaded == ["heads.t1.layers.1.weight", "heads.t1.layers.1.bias"]
    assert new.report.numbers == 8 * 3 + 3
    assert new.report.sentence().startswith(
        f"initialized from {runs['separate']}: 2 of {len(new.weights)} weights (27 parameters)"
    )


def test_patterns_choose_by_name(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(tmp_path, runs["separate"], "*.bias", "heads.t[01].*.weight")
    new.check()
    assert {*new.report.loaded} == {
        "body.backbone.layers.0.bias",
        *(f"heads.t{task}.layers.1.bias" for task in range(3)),
        *(f"heads.t{task}.layers.1.weight" for task in range(2)),
    }


def test_what_has_another_shape_or_is_not_there_is_told(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(
        tmp_path, runs["separate"], "*",
        backbone={"type": "mlp", "hidden_dims": [5]},
        tasks=[task_block(name="t0"), task_block(name="taste", label="t1")],
    )  # fmt: skip
    new.check()
    assert new.report.not_loaded == {
        "body.backbone.layers.0.weight": "8 x 6 in the run, 5 x 6 here",
        "body.backbone.layers.0.bias": "8 in the run, 5 here",
        "heads.t0.layers.1.weight": "3 x 8 in the run, 3 x 5 here",
        "heads.taste.layers.1.weight": "not in the run",
        "heads.taste.layers.1.bias": "not in the run",
    }
    assert "; 8 x 6 in the run, 5 x 6 here: body.backbone.layers.0.weight" in new.report.sentence()


def test_a_head_of_other_classes_is_not_taken(tmp_path: Path, runs: dict[str, Path]) -> None:
    """The head has the same shape, but its rows belong to other classes."""
    turned = {"type": "classification", "classes": CLASSES[::-1]}
    new = New(tmp_path, runs["separate"], "*", tasks=[task_block(name="t0", kind=turned), task_block(name="t1")])
    new.check()
    reason = "its task has other classes in the run"
    assert new.report.not_loaded == {f"heads.t0.layers.1.{part}": reason for part in ("weight", "bias")}


# ── words ──


def table_name(new: New) -> str:
    (name,) = [name for name in new.weights if name.endswith("input_layer.table")]
    return name


def test_words_that_both_runs_know_keep_their_vectors(tmp_path: Path, runs: dict[str, Path]) -> None:
    changed = {**TRAINED["words"], "encoder": {"type": "tiny-words", "drop": [",", "red"]}}
    new = New(tmp_path, runs["words"], **changed)
    new.check()
    name = table_name(new)
    here, there = list(new.encoder.vocabulary), list(new.saved_encoder.vocabulary)
    assert {*here} - {*there} == {"wine"}
    assert {*there} - {*here} == {"red"}
    common = {*here} & {*there}
    assert new.report.by_word == {name: SPECIAL + len(common)}
    table, source, drawn = new.weights[name], new.source[name], new.drawn[name]
    for row, word in enumerate(here, start=SPECIAL):
        expected = source[SPECIAL + there.index(word)] if word in common else drawn[row]
        assert torch.equal(table[row], expected), word
    assert torch.equal(table[:SPECIAL], source[:SPECIAL])
    others = sum(new.weights[other].numel() for other in new.report.loaded if other != name)
    assert new.report.numbers == others + (SPECIAL + len(common)) * 8


def test_the_same_vocabulary_is_taken_as_it_is(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(tmp_path, runs["words"], "*", **TRAINED["words"])
    new.check()
    assert new.report.by_word == {}
    assert new.report.not_loaded == {}
    assert new.report.numbers == sum(value.numel() for value in new.weights.values())


def test_a_head_that_tells_other_words_is_not_taken(tmp_path: Path, runs: dict[str, Path]) -> None:
    changed = {**TRAINED["words"], "encoder": {"type": "tiny-words", "drop": [",", "red"]}}
    new = New(tmp_path, runs["words"], "heads.*", **changed)
    new.check()
    assert {name.split(".")[1] for name in new.report.loaded} == {"wet", "tags"}
    assert {*new.report.not_loaded.values()} == {"its task has other classes in the run", "no pattern matches"}


# ── grouped heads ──


def test_tasks_of_a_grouped_head_are_taken_one_by_one(tmp_path: Path, runs: dict[str, Path]) -> None:
    changed = {"tasks": [task_block("toy-grouped", name="t2"), task_block("toy-grouped", name="new", label="t0")]}
    new = New(tmp_path, runs["grouped"], "heads.t2.*", **changed)
    assert new.report.loaded == [
        "heads.t2.weight",
        "heads.t2.bias",
        "heads.t2.shared.weight",
        "heads.t2.shared.bias",
    ]
    for name in ("weight", "bias"):
        assert torch.equal(new.weights[f"heads.t2.{name}"], new.source[f"heads.t2.{name}"])
        assert torch.equal(new.weights[f"heads.new.{name}"], new.drawn[f"heads.new.{name}"])
    shared = new.weights["heads.new.shared.weight"]  # the same tensor under both names
    assert torch.equal(shared, new.source["heads.t2.shared.weight"])


def test_what_grouped_heads_share_counts_once(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(tmp_path, runs["grouped"], "heads.*", tasks=TRAINED["grouped"]["tasks"])
    new.check()
    assert new.report.numbers == 8 * 5 + 5 + 3 * (5 * 3 + 3)


def test_separate_and_grouped_heads_do_not_fit_each_other(tmp_path: Path, runs: dict[str, Path]) -> None:
    new = New(tmp_path, runs["grouped"], "*")
    new.check()
    heads = {name: why for name, why in new.report.not_loaded.items() if name.startswith("heads.")}
    assert {*heads.values()} == {"not in the run"}
    assert len(heads) == 6


# ── refusals ──


def test_a_pattern_that_fits_nothing_is_refused_with_the_nearest_name(
    tmp_path: Path, runs: dict[str, Path]
) -> None:
    with pytest.raises(
        MtlError, match=r"start_from\.parts: 'heads\.t9\.layers\.1\.bias' matches no weight; did you mean"
    ):
        New(tmp_path, runs["separate"], "heads.t9.layers.1.bias")
    with pytest.raises(
        MtlError, match=r"'boddy\.\*' matches no weight; did you mean 'body\.\*'\? \(weights: body\."
    ):
        New(tmp_path, runs["separate"], "body.*", "boddy.*")
    with pytest.raises(MtlError, match=r"'heads\.t9\.\*' matches no weight; did you mean 'heads\.t[012]\.\*'\?"):
        New(tmp_path, runs["separate"], "heads.t9.*")


def test_a_run_of_which_nothing_fits_is_refused(tmp_path: Path, runs: dict[str, Path]) -> None:
    with pytest.raises(MtlError) as error:
        New(tmp_path, runs["separate"], "heads.*", tasks=[task_block(name="taste", label="t0")])
    assert str(error.value).startswith(f"start_from: no weight of {runs['separate']} can be loaded: ")
    assert "not in the run: heads.taste.layers.1.weight" in str(error.value)


@pytest.mark.parametrize("damage", ["empty", "no weights"])
def test_what_is_no_run_is_refused(tmp_path: Path, runs: dict[str, Path], damage: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    if damage == "no weights":
        (folder / "config.yaml").write_bytes((runs["separate"] / "config.yaml").read_bytes())
    message = "not a run directory" if damage == "empty" else "the run is incomplete: model.safetensors is missing"
    config = toy_config(tmp_path, start_from={"run": str(folder)})
    with pytest.raises(MtlError, match=message):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ── complete runs ──


def test_a_run_reports_what_it_began_with(tmp_path: Path, runs: dict[str, Path]) -> None:
    block = {"run": str(runs["separate"]), "parts": ["body.*", "heads.t1.*"]}
    still = {"type": "sgd", "lr": 1e-12}
    config = toy_config(tmp_path, start_from=block, optimizer=still, training={"epochs": 1}, seed=7)
    report = run_experiment(config, tmp_path / "run")
    expected = New(tmp_path, runs["separate"], *block["parts"], seed=7).report
    assert report.started == expected
    written = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["start"]
    assert written == {
        "run": str(runs["separate"]),
        "loaded": expected.loaded,
        "numbers": (6 * 8 + 8 + 6 + 6) + (8 * 3 + 3),
        "by_word": {},
        "not_loaded": dict.fromkeys(
            [f"heads.t{task}.layers.1.{part}" for task in (0, 2) for part in ("weight", "bias")],
            "no pattern matches",
        ),
    }
    mine, theirs = (load_file(path / "model.safetensors") for path in (tmp_path / "run", runs["separate"]))
    same = {name for name in mine if torch.allclose(mine[name], theirs[name], atol=1e-6, rtol=0)}
    assert {name for name in mine if name not in same} == {
        name for name in mine if "task-t0" in name or "task-t2" in name
    }


def test_a_run_without_a_start_says_nothing_of_one(runs: dict[str, Path]) -> None:
    assert "start" not in json.loads((runs["separate"] / "metrics.json").read_text(encoding="utf-8"))


def test_a_run_that_began_elsewhere_can_be_cut_off_and_refitted(tmp_path: Path, runs: dict[str, Path]) -> None:
    training = {"epochs": 2, "batch_size": 16, "checkpoint_steps": 1, "refit": True}
    config = toy_config(tmp_path, start_from={"run": str(runs["separate"])}, training=training, seed=3)
    run_experiment(config, tmp_path / "whole")
    for events in (2, 8, 11):
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(config, path, InterruptAfter(events))
        resume_run(path)
        assert results(path) == results(tmp_path / "whole")
