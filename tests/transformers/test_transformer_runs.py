"""Tests of complete runs with transformers: all task kinds, pre-split words, and self-contained run directories."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_transformers import tiny_model

import mtl_text
from mtl_core.config.yaml_file import read_yaml, write_yaml

pytest.importorskip("transformers")
Mtl = Callable[..., CompletedProcess[str]]
FOLDER = Path(mtl_text.__file__).parent
TASKS = {"place", "nights", "pos", "tone", "words", "hidden-words"}
TEXT = "We spent three nights in an unclean flat, didn't we?!"
WORDS = TEXT.split(" ")  # texts are split at spaces, like the notes of the run


def write_experiment(folder: Path, training: dict[str, Any] | None = None, **parts: Any) -> Path:
    """Write most of the packaged experiment `every-kind` with other components and few batches."""
    whole: Any = read_yaml(FOLDER / "experiments" / "every-kind.yaml").value
    for name, count in (("train", 80), ("test", 20)):
        lines = (FOLDER / "sample" / f"notes-{name}.jsonl").read_text().splitlines()[:count]
        whole["data"][name] = str(folder / f"{name}.jsonl")
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    whole["training"] = {"epochs": 1, "batch_size": 32, **(training or {})}
    whole["tasks"] = [task for task in whole["tasks"] if task["name"] in TASKS]
    path = folder / "own.yaml"
    path.write_text(write_yaml({**whole, **parts}), encoding="utf-8")
    return path


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_early: Mtl) -> Path:
    """A run of a fine-tuned transformer whose model folder is deleted afterwards."""
    folder = tmp_path_factory.mktemp("transformer")
    shutil.copytree(tiny_model(), folder / "model")
    encoder = {"type": "transformer", "model": "./model", "max_tokens": 36}
    experiment = write_experiment(folder, encoder=encoder, backbone={"type": "transformer"})
    for name in ("run", "again"):
        result = mtl_early("run", experiment, "--out", folder / name)
        assert result.returncode == 0, result.stderr
        assert "Loading" not in result.stdout + result.stderr
    shutil.rmtree(folder / "model")
    return folder / "run"


def test_the_same_seed_gives_the_same_bits(run: Path) -> None:
    for name in ("model.safetensors", "state.json", "predictions.jsonl"):
        assert (run / name).read_bytes() == (run.with_name("again") / name).read_bytes(), name


def test_what_is_said_of_words_is_said_of_the_users_words(run: Path) -> None:
    notes = [json.loads(line) for line in (FOLDER / "sample" / "notes-test.jsonl").read_text().splitlines()]
    told = [record for record in records((run / "predictions.jsonl").read_text()) if record["split"] == "test"]
    by_words = {tuple(note["words"]): note for note in notes}
    for record in told:
        note = by_words[tuple(record["text"].split(" "))]
        read = len(record["tokens"])
        assert record["tokens"] == note["words"][:read]
        assert read >= min(6, len(note["words"]))
        assert len(record["tasks"]["pos"]["label"]) == read
        if note["pos"]:
            assert record["tasks"]["pos"]["gold"] == note["pos"][:read]


def test_the_run_directory_is_all_that_predicting_needs(run: Path, mtl: Mtl) -> None:
    result = mtl("predict", run, TEXT, "--attention", "--json")
    assert result.returncode == 0, result.stderr
    [record] = records(result.stdout)
    weights = record["tasks"]["nights"]["attention"]
    assert record["tokens"] == WORDS[: len(record["tokens"])]
    assert len(weights) == len(record["tokens"]) == len(record["tasks"]["tone"]["label"]) > 5
    assert sum(weights) == pytest.approx(1, abs=1e-4)
    result = mtl("evaluate", run, "--data", FOLDER / "sample" / "notes-test.jsonl")
    assert result.returncode == 0, result.stderr


def test_weights_are_there_once(run: Path) -> None:
    tensors = load_file(run / "model.safetensors")
    tables = [name for name, value in tensors.items() if value.shape[0] > 80 and name.startswith("body.")]
    assert len(tables) == 1
    assert not any("lora" in name or "base_layer" in name for name in tensors)


def test_bfloat16_and_adapters(tmp_path: Path, mtl: Mtl) -> None:
    pytest.importorskip("peft")
    encoder = {"type": "transformer", "model": str(tiny_model()), "max_tokens": 36, "tune": False}
    backbone = {"type": "transformer", "lora": {"rank": 2}}
    experiment = write_experiment(tmp_path, {"precision": "bf16"}, encoder=encoder, backbone=backbone)
    result = mtl("run", experiment, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    tensors = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.isfinite(value).all() for value in tensors.values())
    table = next(value for value in tensors.values() if value.shape[0] > 80)
    own = load_file(tiny_model() / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert torch.equal(table, own)
    result = mtl("predict", tmp_path / "run", TEXT, "--attention", "--json")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("kind", ["distilled", "transformer-features"])
def test_words_with_vectors_of_a_transformer(kind: str, tmp_path: Path, mtl: Mtl) -> None:
    encoder: dict[str, Any] = {"type": kind, "model": str(tiny_model()), "cache": str(tmp_path / "kept")}
    parts: dict[str, Any] = {"backbone": {"type": "lstm", "hidden_dim": 4, "output": "tokens"}}
    if kind == "distilled":
        encoder["dimensions"] = 8
    else:  # its inputs are not ids, which some tasks require
        encoder["max_tokens"] = 36
        whole: Any = read_yaml(FOLDER / "experiments" / "every-kind.yaml").value
        parts["tasks"] = [task for task in whole["tasks"] if task["name"] not in {"words", "hidden-words"}]
        parts["auxiliary"] = []
    experiment = write_experiment(tmp_path, encoder=encoder, **parts)
    result = mtl("run", experiment, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert [path.suffix for path in (tmp_path / "kept").rglob("*.s*") if path.is_file()]
    shutil.rmtree(tmp_path / "kept")
    result = mtl("predict", tmp_path / "run", TEXT, "zyzzyva", "--attention", "--json")
    assert result.returncode == 0, result.stderr
    told = records(result.stdout)
    assert told[0]["tokens"][:3] == ["We", "spent", "three"]
    assert told[1]["tokens"] == ["zyzzyva"]
    assert not (tmp_path / "kept").exists(), "texts of a prediction were stored on disk"
