"""Tests of `examples/custom_task`: a loader, a head, a metric and their experiment in at most 40 lines."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("placeholder_reports")

FOLDER = Path(__file__).parents[2] / "examples" / "custom_task"


def test_example_has_at_most_forty_lines() -> None:
    lines = [
        line
        for name in ("custom_task.py", "custom_task.yaml")
        for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert len(lines) <= 40


def test_example_beats_its_baseline(tmp_path: Path, mtl: Any) -> None:
    run = tmp_path / "run"
    result = mtl("run", FOLDER / "custom_task.yaml", "--out", run)
    assert result.returncode == 0, result.stderr
    scores = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["splits"]["validation"]["tasks"]["room"]
    assert scores["accuracy"] > scores["majority_accuracy"]
    assert scores["top_2"] >= scores["accuracy"]
