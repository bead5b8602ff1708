"""A run for rating tests: trained once per session; tests must not change it."""

import json
from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="session")
def mentions_run(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run whose tasks predict, without errors, whether a sentence mentions their aspect."""
    from mtl_core.config.load import load_experiment
    from mtl_core.runs.run import run_experiment

    block = yaml.safe_load(experiment.read_text(encoding="utf-8"))
    task = block["tasks"][0]
    task["kind"] = {"type": "detect-and-classify", "classes": ["positive", "negative"], "metrics": ["joint-f1"]}
    task["head"] = {"type": "attention", "key_dim": 16, "hidden_dim": 16}
    del task["mask"]
    block["encoder"]["dimensions"] = block["backbone"]["hidden_dim"] = 16
    block |= {"name": "mentions", "split": {"type": "predefined"}, "optimizer": {"type": "adam", "lr": 0.03}}
    block["training"] = {"epochs": 12, "batch_size": 4}
    path = experiment.with_name("mentions.yaml")
    path.write_text(json.dumps(block), encoding="utf-8")
    run_dir = tmp_path_factory.mktemp("rating") / "run"
    run_experiment(load_experiment(path).config, run_dir)
    return run_dir
