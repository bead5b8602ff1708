"""The packaged experiments, run from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import mtl_architectures
import mtl_text

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
EXPERIMENTS = sorted(
    path.stem
    for plugin in (mtl_architectures, mtl_text)
    for path in (Path(str(plugin.__file__)).parent / "experiments").glob("topic-sentiment-*.yaml")
)


def test_every_architecture_has_an_experiment() -> None:
    assert [f"topic-sentiment-{name}" for name in ("cross-stitch", "mmoe", "soft", "trace-norm")] == EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_short_run_beats_the_majority_baseline_and_predicts(name: str, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    run_result = mtl("run", name, "--out", out, "--set", "training.epochs=8", "--set", "training.refit=false")
    assert run_result.returncode == 0, run_result.stderr
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    for task, scores in metrics["splits"]["test"]["tasks"].items():
        assert scores["accuracy"] > scores["majority_accuracy"] + 0.15, task
    predict_result = mtl("predict", out, "The soup was delicious, I loved it.")
    assert predict_result.returncode == 0, predict_result.stderr
    assert "food" in predict_result.stdout
