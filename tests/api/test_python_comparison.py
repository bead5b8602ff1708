"""Comparison from Python: the same verdicts as from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mtl_core as mtl
from mtl_core import MtlError


@pytest.fixture(scope="module")
def comparison(model: mtl.Model, data: mtl.Data, tmp_path_factory: pytest.TempPathFactory) -> mtl.Comparison:
    folder = tmp_path_factory.mktemp("comparison") / "out"
    return mtl.compare(model, data, seeds=2, epochs=2, variants=["weighting=uncertainty"], out=folder, progress=False)


def test_comparison_is_a_table_with_verdicts(comparison: mtl.Comparison) -> None:
    table: Any = comparison.to_frame().set_index(["task", "variant"])
    assert set(table.index.get_level_values("variant")) == {
        "multi-task",
        "equal weights",
        "single-task",
        "majority",
        "weighting=uncertainty",
    }
    row = table.loc[("topic", "multi-task")]
    assert row["low"] <= row["mean"] <= row["high"]
    assert row["verdict"] == comparison.verdict("topic")
    assert comparison.summary[0] in repr(comparison)
    assert "<td>uncertainty" not in comparison._repr_html_()
    assert "<td>weighting=uncertainty</td>" in comparison._repr_html_()
    assert "iframe" in mtl.Report(comparison.path / "report.html")._repr_html_()


def test_command_line_gives_the_same_comparison(
    comparison: mtl.Comparison, model: mtl.Model, data: mtl.Data, tmp_path: Path, mtl: Callable[..., Any]
) -> None:
    model.to_yaml(tmp_path / "experiment.yaml", data)
    settings = ["--seeds", 2, "--jobs", 1, "--set", "training.epochs=2", "--variant", "weighting=uncertainty"]
    mtl("compare", tmp_path / "experiment.yaml", "--out", tmp_path / "out", *settings)
    first, second = (
        json.loads((path / "comparison.json").read_text(encoding="utf-8"))["variants"]
        for path in (comparison.path, tmp_path / "out")
    )
    assert [one["tasks"] for one in first] == [one["tasks"] for one in second]
    assert first[0]["tasks"] != first[2]["tasks"]


def test_unknown_variant_is_refused(comparison: mtl.Comparison) -> None:
    with pytest.raises(MtlError, match="no verdict on the variant 'x' for the task 'topic'"):
        comparison.verdict("topic", "x")
