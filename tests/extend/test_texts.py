"""A run on texts of another format is extended by a table with a column `text`; its tasks match a pattern."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Mtl = Callable[..., CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("placeholder_reports")


def test_labels_of_texts(trained_run: Path, mtl: Mtl, tmp_path: Path) -> None:
    rows = [f"The soup number {index} was {'late' if index % 2 else 'here'}.,{index % 2}" for index in range(20)]
    (tmp_path / "new.csv").write_text("\n".join(["text,late", *rows]) + "\n")
    out = tmp_path / "out"
    result = mtl("extend", trained_run, "--task", "late", "--data", tmp_path / "new.csv", "--out", out)
    assert result.returncode == 0, result.stderr
    before, after = (json.loads((run / "metrics.json").read_text())["splits"] for run in (trained_run, out))
    for split, scores in before.items():
        for task, score in scores["tasks"].items():
            assert after[split]["tasks"][task] == score
    assert 4 <= after["validation"]["tasks"]["late"]["n"] <= 6  # of 20
    predicted = mtl("predict", out, "The soup was late.", "--json")
    assert set(json.loads(predicted.stdout)["tasks"]) == {*before["test"]["tasks"], "late"}
