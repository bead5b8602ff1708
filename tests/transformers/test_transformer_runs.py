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
from mtl_core.config.yaml_file import dump_yaml, read_yaml

pytestmark = pytest.mark.usefixtures("placeholder_reports")

pytest.importorskip("transformers")
Mtl = Callable[..., CompletedProcess[str]]
FOLDER = Path(mtl_text.__file__).parent
TASKS = {"place", "nights", "pos", "tone", "words", "hidden-words"}
TEXT = "We spent three nights in an unclean flat, didn't we?!"
WORDS = TEXT.split(" ")  # texts are split at spaces, like the notes of the run


def write_experiment(folder: Path, training: dict[str, Any] | None = None, **blocks: Any) -> Path:
    """Write most of the packaged experiment `every-kind` with other components and few batches."""
    experiment: Any = read_yaml(FOLDER / "experiments" / "every-kind.yaml").value
    for name, count in (("train", 80), ("test", 20)):
        lines = (FOLDER / "sample" / f"notes-{name}.jsonl").read_text().splitlines()[:count]
        experiment["data"][name] = str(folder / f"{name}.jsonl")
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    experiment["training"] = {"epochs": 1, "batch_size": 32, **(training or {})}
    experiment["tasks"] = [task for task in experiment["tasks"] if task["name"] in TASKS]
    path = folder / "own.yaml"
    path.write_text(dump_yaml({**experiment, **blocks}), encoding="utf-8")
    return path


def parse_jsonl(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_uncaptured: Mtl) -> Path:
    """A run of a fine-tuned transformer whose model folder is deleted afterwards."""
    folder = tmp_path_factory.mktemp("transformer")
    shutil.copytree(tiny_model(), folder / "model")
    encoder = {"type": "transformer", "model": "./model", "max_tokens": 36}
    experiment = write_experiment(folder, encoder=encoder, backbone={"type": "transformer"})
    for name in ("run", "again"):
        result = mtl_uncaptured("run", experiment, "--out", folder / name)
        assert result.returncode == 0, result.stderr
        assert "Loading" not in result.stdout + result.stderr
    shutil.rmtree(folder / "model")
    return folder / "run"


def test_same_seed_is_bit_identical(run: Path) -> None:
    for name in ("model.safetensors", "state.json", "predictions.jsonl"):
        assert (run / name).read_bytes() == (run.with_name("again") / name).read_bytes(), name


def test_token_predictions_match_the_words_of_the_notes(run: Path) -> None:
    notes = [json.loads(line) for line in (FOLDER / "sample" / "notes-test.jsonl").read_text().splitlines()]
    test_records = [
        record for record in parse_jsonl((run / "predictions.jsonl").read_text()) if record["split"] == "test"
    ]
    words_to_note = {tuple(note["words"]): note for note in notes}
    for record in test_records:
        note = words_to_note[tuple(record["text"].split(" "))]
        n_tokens = len(record["tokens"])
        assert record["tokens"] == note["words"][:n_tokens]
        assert n_tokens >= min(6, len(note["words"]))
        assert len(record["tasks"]["pos"]["label"]) == n_tokens
        if note["pos"]:
            assert record["tasks"]["pos"]["gold"] == note["pos"][:n_tokens]


def test_predict_requires_only_the_run_directory(run: Path, mtl: Mtl) -> None:
    result = mtl("predict", run, TEXT, "--attention", "--json")
    assert result.returncode == 0, result.stderr
    [record] = parse_jsonl(result.stdout)
    weights = record["tasks"]["nights"]["attention"]
    assert record["tokens"] == WORDS[: len(record["tokens"])]
    assert len(weights) == len(record["tokens"]) == len(record["tasks"]["tone"]["label"]) > 5
    assert sum(weights) == pytest.approx(1, abs=1e-4)
    result = mtl("evaluate", run, "--data", FOLDER / "sample" / "notes-test.jsonl")
    assert result.returncode == 0, result.stderr


def test_weights_are_stored_once(run: Path) -> None:
    tensors = load_file(run / "model.safetensors")
    tables = [name for name, value in tensors.items() if value.shape[0] > 80 and name.startswith("trunk.")]
    assert len(tables) == 1
    assert not any("lora" in name or "base_layer" in name for name in tensors)


def test_bfloat16_with_adapters(tmp_path: Path, mtl: Mtl) -> None:
    pytest.importorskip("peft")
    encoder = {"type": "transformer", "model": str(tiny_model()), "max_tokens": 36, "trainable": False}
    backbone = {"type": "transformer", "lora": {"rank": 2}}
    experiment = write_experiment(tmp_path, {"precision": "bf16"}, encoder=encoder, backbone=backbone)
    result = mtl("run", experiment, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    tensors = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.isfinite(value).all() for value in tensors.values())
    table = next(value for value in tensors.values() if value.shape[0] > 80)
    expected = load_file(tiny_model() / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert torch.equal(table, expected)
    result = mtl("predict", tmp_path / "run", TEXT, "--attention", "--json")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("kind", ["distilled", "transformer-features"])
def test_frozen_transformer_vectors(kind: str, tmp_path: Path, mtl: Mtl) -> None:
    encoder: dict[str, Any] = {"type": kind, "model": str(tiny_model()), "cache": str(tmp_path / "kept")}
    blocks: dict[str, Any] = {"backbone": {"type": "lstm", "hidden_dim": 4, "output": "tokens"}}
    if kind == "distilled":
        encoder["dimensions"] = 8
    else:  # its inputs are not ids, which some tasks require
        encoder["max_tokens"] = 36
        every_kind: Any = read_yaml(FOLDER / "experiments" / "every-kind.yaml").value
        blocks["tasks"] = [task for task in every_kind["tasks"] if task["name"] not in {"words", "hidden-words"}]
        blocks["auxiliary"] = []
    experiment = write_experiment(tmp_path, encoder=encoder, **blocks)
    result = mtl("run", experiment, "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert [path.suffix for path in (tmp_path / "kept").rglob("*.s*") if path.is_file()]
    shutil.rmtree(tmp_path / "kept")
    result = mtl("predict", tmp_path / "run", TEXT, "zyzzyva", "--attention", "--json")
    assert result.returncode == 0, result.stderr
    predictions = parse_jsonl(result.stdout)
    assert predictions[0]["tokens"][:3] == ["We", "spent", "three"]
    assert predictions[1]["tokens"] == ["zyzzyva"]
    assert not (tmp_path / "kept").exists(), "texts of a prediction were stored on disk"
