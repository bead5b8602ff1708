"""The packaged experiments, run from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import mtl_architectures

Mtl = Callable[..., CompletedProcess[str]]
EXPERIMENTS = sorted(path.stem for path in (Path(mtl_architectures.__file__).parent / "experiments").glob("*.yaml"))


def test_there_is_one_for_each_way_of_sharing() -> None:
    assert [f"topic-sentiment-{name}" for name in ("cross-stitch", "mmoe", "soft", "trace-norm")] == EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_shortened_run_beats_the_majority_by_far_and_answers(name: str, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    done = mtl("run", name, "--out", out, "--set", "training.epochs=8", "--set", "training.refit=false")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    for task, figures in metrics["splits"]["test"]["tasks"].items():
        assert figures["accuracy"] > figures["majority_accuracy"] + 0.15, task
    said = mtl("predict", out, "The soup was delicious, I loved it.")
    assert said.returncode == 0, said.stderr
    assert "food" in said.stdout
