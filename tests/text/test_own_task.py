"""Tests of `examples/own_task`: a loader, a head, a metric and their experiment in at most 40 lines."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "examples" / "own_task"


def test_it_is_forty_lines_with_imports_hooks_and_yaml() -> None:
    lines = [
        line
        for name in ("own_task.py", "own_task.yaml")
        for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert len(lines) <= 40


def test_it_learns_and_answers(tmp_path: Path, mtl: Any) -> None:
    run = tmp_path / "run"
    done = mtl("run", FOLDER / "own_task.yaml", "--out", run)
    assert done.returncode == 0, done.stderr
    score = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["splits"]["validation"]["tasks"]["room"]
    assert score["accuracy"] > score["majority_accuracy"]
    assert score["top_2"] >= score["accuracy"]
