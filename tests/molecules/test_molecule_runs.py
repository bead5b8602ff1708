"""Runs on molecules by the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sample_molecules import INVALID, write_molecules

from mtl_core import load_experiment

EXPERIMENT = """\
data: {type: molecules, train: molecules.csv, labels: [ring, sweet], invalid: skip}
split: {type: random, validation: 0.2, test: 0.2}
encoder: {type: morgan, bits: 256, counts: true, descriptors: true, width: 32}
backbone: identity
tasks:
  - {each: "*", kind: {type: binary, classes: ["0", "1"]}, head: linear}
optimizer: {type: adamw, lr: 0.01}
training: {epochs: 12, batch_size: 16}
"""
Mtl = Callable[..., CompletedProcess[str]]


def test_run_and_predict(tmp_path: Path, mtl: Mtl) -> None:
    write_molecules(tmp_path / "molecules.csv", f"{INVALID},broken,1,0", repetitions=2)
    (tmp_path / "m.yaml").write_text(EXPERIMENT)
    run = tmp_path / "run"
    trained = mtl("run", tmp_path / "m.yaml", "--out", run)
    assert trained.returncode == 0, trained.stderr
    assert "1 molecule has an invalid SMILES and is left out; the first: " in trained.stdout + trained.stderr
    ring = json.loads((run / "metrics.json").read_text())["splits"]["test"]["tasks"]["ring"]
    assert ring["accuracy"] > ring["majority_accuracy"]
    record = json.loads(mtl("predict", run, "COc1ccccc1", "--json").stdout)
    assert record["text"] == "COc1ccccc1"
    assert record["tasks"]["ring"]["label"] == "1"
    refused = mtl("predict", run, "CCO", INVALID)
    assert refused.returncode == 2
    assert refused.stderr == f"error: text 2: '{INVALID}' is not a valid SMILES: unclosed ring\n"
    (tmp_path / "new.csv").write_text("smiles,ring\nCCCCN,0\nCc1ccncc1,1\n")
    output = tmp_path / "predictions.jsonl"
    mtl("predict", run, "--input", tmp_path / "new.csv", "--output", output)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record["tasks"]["ring"]["gold"] for record in records] == ["0", "1"]
    (tmp_path / "mixed.csv").write_text(f"smiles\n{INVALID}\nCCO\n")
    predicted = mtl("predict", run, "--input", tmp_path / "mixed.csv", "--json")
    assert [json.loads(line)["text"] for line in predicted.stdout.splitlines()] == ["CCO"]
    assert "note: 1 molecule has an invalid SMILES and is left out; the first: " in predicted.stderr
    evaluated = mtl("evaluate", run, "--data", tmp_path / "new.csv")
    assert evaluated.returncode == 0


def test_columns_of_a_table_are_molecules(tmp_path: Path, mtl: Mtl) -> None:
    """A table with further inputs: the SMILES is one of the columns, and may be missing."""
    molecules = ["CCO", "", "c1ccccc1", "CCN", "CCCl", "CCBr"]
    lines = [f"{smiles},{dose},{dose % 2}" for dose, smiles in enumerate(molecules)]
    (tmp_path / "t.csv").write_text("\n".join(["smiles,dose,toxic", *lines]) + "\n")
    (tmp_path / "t.yaml").write_text(
        "data: {type: table, train: t.csv, inputs: {smiles: text, dose: number}, labels: [toxic]}\n"
        "split: {type: random, validation: 0.34}\n"
        "encoder: {columns: {smiles: {type: morgan, bits: 64, width: 8}}}\n"
        "backbone: {type: mlp, hidden_dims: [8]}\n"
        "tasks: [{name: toxic, kind: {type: binary, classes: ['0', '1']}, head: linear}]\n"
        "training: {epochs: 1}\n"
    )
    trained = mtl("run", tmp_path / "t.yaml", "--out", tmp_path / "run")
    assert trained.returncode == 0, trained.stderr
    (tmp_path / "t.csv").write_text(f"smiles,dose,toxic\nCCO,1,0\n{INVALID},2,1\nCCN,3,1\n")
    refused = mtl("validate", tmp_path / "t.yaml", "--data")
    assert f"t.csv:3: column 'smiles': '{INVALID}' is not a valid SMILES: unclosed ring" in refused.stderr


@pytest.mark.parametrize("name", ["tox21", "toxcast", "chembl"])
def test_packaged_experiments_are_valid(name: str, sample: Path) -> None:
    config = load_experiment(name, [f"data.train={sample}"]).config
    assert config.data is not None
    assert config.data.type == "molecules"
