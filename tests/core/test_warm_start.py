"""Warm start from a trained network: which weights are loaded, which are not and why, and an exact report."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_training import Interrupt, InterruptAfter, read_results
from token_components import SPECIAL, build_experiment_blocks, build_task_blocks
from toy import CLASSES, task_block, tensor_bits, toy_config, toy_network

from mtl_core import MtlError
from mtl_core.config.training import InitFrom
from mtl_core.nn.named_weights import collect_named_weights
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.runs.warm_start import WarmStartReport, initialize_from_run

SOURCE_BLOCKS: dict[str, dict[str, Any]] = {
    "separate": {},
    "grouped": {"tasks": [task_block("toy-grouped")]},
    "words": build_experiment_blocks(
        data={"type": "sentences", "rows": 30, "test_rows": 0},
        encoder={"type": "tiny-words", "drop": [",", "wine"]},
        tasks=build_task_blocks("wet", "tags", "again"),
        training={"epochs": 1},
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trained runs to load weights from: with separate heads, with grouped heads, with words."""
    folder = tmp_path_factory.mktemp("runs")
    for name, overrides in SOURCE_BLOCKS.items():
        run_experiment(toy_config(folder, **{"training": {"epochs": 1, "batch_size": 16}, **overrides}), folder / name)
    return {name: folder / name for name in SOURCE_BLOCKS}


class WarmStart:
    """A new network with its initial weights and with the weights after the warm start."""

    def __init__(self, folder: Path, run: Path, *patterns: str, **overrides: Any) -> None:
        config = toy_config(folder, **overrides)
        prepared, network, _ = toy_network(config)
        names = [[task.name for task in group.tasks] for group in prepared.groups]
        self.initial_weights = {name: value.clone() for name, value in collect_named_weights(network, names).items()}
        self.encoder = prepared.encoder
        self.report: WarmStartReport = initialize_from_run(
            InitFrom(run=run, weights=list(patterns or ["trunk.*"])), network, prepared.groups, prepared.encoder
        )
        self.weights = collect_named_weights(network, names)
        saved = load_run(run)
        self.saved_encoder = saved.encoder
        self.source_weights = collect_named_weights(
            saved.network, [[task.name for task in group.tasks] for group in saved.groups]
        )

    def check(self) -> None:
        """Check that weights reported as loaded equal those of the run bitwise, and all others are unchanged."""
        assert {*self.report.loaded}.isdisjoint(self.report.not_loaded)
        assert {*self.report.loaded, *self.report.not_loaded} == {*self.weights}
        loaded_names = {*self.report.loaded} - {*self.report.by_word}
        weight_bits, source_bits, initial_bits = (
            tensor_bits(self.weights),
            tensor_bits(self.source_weights),
            tensor_bits(self.initial_weights),
        )
        for name, bits in weight_bits.items():
            if name in loaded_names:
                assert bits == source_bits[name], name
            elif name in self.report.not_loaded:
                assert bits == initial_bits[name], name


def test_shared_weights_are_loaded_by_default(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["separate"])
    warm_start.check()
    parts = ["backbone.layers.0.weight", "backbone.layers.0.bias", "input_layer.mean", "input_layer.scale"]
    assert {*warm_start.report.loaded} == {f"trunk.{part}" for part in parts}
    assert warm_start.report.numbers == 6 * 8 + 8 + 6 + 6
    assert {*warm_start.report.not_loaded.values()} == {"no pattern matches"}
    assert len(warm_start.report.not_loaded) == 3 * 2
    before, after = (
        warm_start.initial_weights["trunk.backbone.layers.0.weight"],
        warm_start.weights["trunk.backbone.layers.0.weight"],
    )
    assert not torch.equal(before, after)


def test_head_selected_by_name(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["separate"], "heads.t1.*")
    warm_start.check()
    assert warm_start.report.loaded == ["heads.t1.weight", "heads.t1.bias"]
    assert warm_start.report.numbers == 8 * 3 + 3
    assert warm_start.report.format_summary().startswith(
        f"initialized from {runs['separate']}: 2 of {len(warm_start.weights)} weights (27 parameters)"
    )


def test_weights_selected_by_pattern(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["separate"], "*.bias", "heads.t[01].*weight")
    warm_start.check()
    assert {*warm_start.report.loaded} == {
        "trunk.backbone.layers.0.bias",
        *(f"heads.t{task}.bias" for task in range(3)),
        *(f"heads.t{task}.weight" for task in range(2)),
    }


def test_missing_weights_and_other_shapes_are_reported(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(
        tmp_path, runs["separate"], "*",
        backbone={"type": "mlp", "hidden_dims": [5]},
        tasks=[task_block(name="t0"), task_block(name="taste", label="t1")],
    )  # fmt: skip
    warm_start.check()
    assert warm_start.report.not_loaded == {
        "trunk.backbone.layers.0.weight": "8 x 6 in the run, 5 x 6 here",
        "trunk.backbone.layers.0.bias": "8 in the run, 5 here",
        "heads.t0.weight": "3 x 8 in the run, 3 x 5 here",
        "heads.taste.weight": "not in the run",
        "heads.taste.bias": "not in the run",
    }
    assert "; 8 x 6 in the run, 5 x 6 here: trunk.backbone.layers.0.weight" in warm_start.report.format_summary()


def test_head_of_other_classes_is_not_loaded(tmp_path: Path, runs: dict[str, Path]) -> None:
    """The head has the same shape, but its rows belong to other classes."""
    reversed_kind = {"type": "classification", "classes": CLASSES[::-1]}
    warm_start = WarmStart(
        tmp_path, runs["separate"], "*", tasks=[task_block(name="t0", kind=reversed_kind), task_block(name="t1")]
    )
    warm_start.check()
    reason = "its task has other classes in the run"
    assert warm_start.report.not_loaded == {f"heads.t0.{part}": reason for part in ("weight", "bias")}


# ── words ──


def get_table_name(warm_start: WarmStart) -> str:
    (name,) = [name for name in warm_start.weights if name.endswith("input_layer.table")]
    return name


def test_common_words_keep_their_vectors(tmp_path: Path, runs: dict[str, Path]) -> None:
    overrides = {**SOURCE_BLOCKS["words"], "encoder": {"type": "tiny-words", "drop": [",", "red"]}}
    warm_start = WarmStart(tmp_path, runs["words"], **overrides)
    warm_start.check()
    name = get_table_name(warm_start)
    vocabulary, source_vocabulary = list(warm_start.encoder.vocabulary), list(warm_start.saved_encoder.vocabulary)
    assert {*vocabulary} - {*source_vocabulary} == {"wine"}
    assert {*source_vocabulary} - {*vocabulary} == {"red"}
    common_words = {*vocabulary} & {*source_vocabulary}
    assert warm_start.report.by_word == {name: SPECIAL + len(common_words)}
    table, source_table, initial_table = (
        warm_start.weights[name],
        warm_start.source_weights[name],
        warm_start.initial_weights[name],
    )
    for row, word in enumerate(vocabulary, start=SPECIAL):
        expected = source_table[SPECIAL + source_vocabulary.index(word)] if word in common_words else initial_table[row]
        assert torch.equal(table[row], expected), word
    assert torch.equal(table[:SPECIAL], source_table[:SPECIAL])
    n_other_parameters = sum(
        warm_start.weights[other_name].numel() for other_name in warm_start.report.loaded if other_name != name
    )
    assert warm_start.report.numbers == n_other_parameters + (SPECIAL + len(common_words)) * 8


def test_equal_vocabulary_is_loaded_completely(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["words"], "*", **SOURCE_BLOCKS["words"])
    warm_start.check()
    assert warm_start.report.by_word == {}
    assert warm_start.report.not_loaded == {}
    assert warm_start.report.numbers == sum(value.numel() for value in warm_start.weights.values())


def test_head_of_other_words_is_not_loaded(tmp_path: Path, runs: dict[str, Path]) -> None:
    overrides = {**SOURCE_BLOCKS["words"], "encoder": {"type": "tiny-words", "drop": [",", "red"]}}
    warm_start = WarmStart(tmp_path, runs["words"], "heads.*", **overrides)
    warm_start.check()
    assert {name.split(".")[1] for name in warm_start.report.loaded} == {"wet", "tags"}
    assert {*warm_start.report.not_loaded.values()} == {
        "its task has other classes in the run",
        "no pattern matches",
    }


# ── grouped heads ──


def test_tasks_of_a_grouped_head_are_loaded_separately(tmp_path: Path, runs: dict[str, Path]) -> None:
    overrides = {"tasks": [task_block("toy-grouped", name="t2"), task_block("toy-grouped", name="new", label="t0")]}
    warm_start = WarmStart(tmp_path, runs["grouped"], "heads.t2.*", **overrides)
    assert warm_start.report.loaded == [
        "heads.t2.weight",
        "heads.t2.bias",
        "heads.t2.shared.weight",
        "heads.t2.shared.bias",
    ]
    for name in ("weight", "bias"):
        assert torch.equal(warm_start.weights[f"heads.t2.{name}"], warm_start.source_weights[f"heads.t2.{name}"])
        assert torch.equal(warm_start.weights[f"heads.new.{name}"], warm_start.initial_weights[f"heads.new.{name}"])
    shared = warm_start.weights["heads.new.shared.weight"]  # the same tensor under both names
    assert torch.equal(shared, warm_start.source_weights["heads.t2.shared.weight"])


def test_shared_weights_of_grouped_heads_count_once(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["grouped"], "heads.*", tasks=SOURCE_BLOCKS["grouped"]["tasks"])
    warm_start.check()
    assert warm_start.report.numbers == 8 * 5 + 5 + 3 * (5 * 3 + 3)


def test_separate_and_grouped_heads_are_incompatible(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["grouped"], "*", tasks=[task_block("toy-linear")])
    warm_start.check()
    heads = {name: why for name, why in warm_start.report.not_loaded.items() if name.startswith("heads.")}
    assert {*heads.values()} == {"not in the run"}
    assert len(heads) == 6


def test_heads_of_other_shapes_are_not_loaded(tmp_path: Path, runs: dict[str, Path]) -> None:
    warm_start = WarmStart(tmp_path, runs["grouped"], "*")
    warm_start.check()
    heads = {name: why for name, why in warm_start.report.not_loaded.items() if name.startswith("heads.")}
    assert {name: reason for name, reason in heads.items() if name.endswith(".weight")} == {
        f"heads.t{task}.weight": "5 x 3 in the run, 3 x 8 here" for task in range(3)
    }


# ── refusals ──


def test_pattern_without_match_is_refused_with_the_nearest_name(tmp_path: Path, runs: dict[str, Path]) -> None:
    with pytest.raises(MtlError, match=r"init_from\.weights: 'heads\.t9\.bias' matches no weight; did you mean"):
        WarmStart(tmp_path, runs["separate"], "heads.t9.bias")
    with pytest.raises(MtlError, match=r"'trunc\.\*' matches no weight; did you mean 'trunk\.\*'\? \(weights: trunk\."):
        WarmStart(tmp_path, runs["separate"], "trunk.*", "trunc.*")
    with pytest.raises(MtlError, match=r"'heads\.t9\.\*' matches no weight; did you mean 'heads\.t[012]\.\*'\?"):
        WarmStart(tmp_path, runs["separate"], "heads.t9.*")


def test_run_without_matching_weights_is_refused(tmp_path: Path, runs: dict[str, Path]) -> None:
    with pytest.raises(MtlError) as error:
        WarmStart(tmp_path, runs["separate"], "heads.*", tasks=[task_block(name="taste", label="t0")])
    assert str(error.value).startswith(f"init_from: no weight of {runs['separate']} can be loaded: ")
    assert "not in the run: heads.taste.weight" in str(error.value)


@pytest.mark.parametrize("damage", ["empty", "no weights"])
def test_folder_without_a_run_is_refused(tmp_path: Path, runs: dict[str, Path], damage: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    if damage == "no weights":
        (folder / "config.yaml").write_bytes((runs["separate"] / "config.yaml").read_bytes())
    message = "not a run directory" if damage == "empty" else "the run is incomplete: model.safetensors is missing"
    config = toy_config(tmp_path, init_from={"run": str(folder)})
    with pytest.raises(MtlError, match=message):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ── complete runs ──


def test_run_reports_its_warm_start(tmp_path: Path, runs: dict[str, Path]) -> None:
    block = {"run": str(runs["separate"]), "weights": ["trunk.*", "heads.t1.*"]}
    frozen_optimizer = {"type": "sgd", "lr": 1e-12}
    config = toy_config(tmp_path, init_from=block, optimizer=frozen_optimizer, training={"epochs": 1}, seed=7)
    report = run_experiment(config, tmp_path / "run")
    expected = WarmStart(tmp_path, runs["separate"], *block["weights"], seed=7).report
    assert report.warm_start == expected
    written_report = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["start"]
    assert written_report == {
        "run": str(runs["separate"]),
        "loaded": expected.loaded,
        "numbers": (6 * 8 + 8 + 6 + 6) + (8 * 3 + 3),
        "by_word": {},
        "not_loaded": dict.fromkeys(
            [f"heads.t{task}.{part}" for task in (0, 2) for part in ("weight", "bias")],
            "no pattern matches",
        ),
    }
    weights, source_weights = (load_file(path / "model.safetensors") for path in (tmp_path / "run", runs["separate"]))
    for name, value in weights.items():
        is_equal = torch.isclose(value, source_weights[name], atol=1e-6, rtol=0)
        if name.startswith("groups."):  # one row per task
            assert [bool(row.all()) for row in is_equal] == [False, True, False], name
        else:
            assert is_equal.all(), name


def test_run_without_warm_start_reports_none(runs: dict[str, Path]) -> None:
    assert "start" not in json.loads((runs["separate"] / "metrics.json").read_text(encoding="utf-8"))


def test_warm_started_run_can_be_interrupted_and_refitted(tmp_path: Path, runs: dict[str, Path]) -> None:
    training = {"epochs": 2, "batch_size": 16, "checkpoint_steps": 1, "refit": True}
    config = toy_config(tmp_path, init_from={"run": str(runs["separate"])}, training=training, seed=3)
    run_experiment(config, tmp_path / "whole")
    for events in (2, 8, 11):
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(config, path, InterruptAfter(events))
        resume_run(path)
        assert read_results(path) == read_results(tmp_path / "whole")
