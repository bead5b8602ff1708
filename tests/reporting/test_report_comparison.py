"""The report of a comparison agrees with `comparison.json` and includes figures for a paper."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from report_examples import VARIANTS, build_comparison, build_interactions, write_json
from report_pages import Page

from mtl_core.reporting.write import write_report

Mtl = Callable[..., CompletedProcess[str]]
TASKS = ["food", "anecdotes/misc_", "price"]
SIGNS = {"improved": " ▲", "degraded": " ▼", "not resolved": ""}


def _format_signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")


def _index_by_name(content: dict[str, Any]) -> dict[str, Any]:
    return {variant["name"]: variant for variant in content["variants"]}


def _write_comparison(folder: Path) -> Path:
    write_json(folder, "comparison.json", build_comparison(TASKS))
    write_json(folder / "runs" / "multi-task-seed1", "interactions.json", build_interactions(TASKS))
    return folder


def _render_page(folder: Path, mtl: Mtl) -> Page:
    result = mtl("report", folder)
    assert (result.returncode, result.stderr) == (0, "")
    n_files = len(list((folder / "figures").iterdir()))
    assert result.stdout == f"report: {folder / 'report.html'}\nfigures: {folder / 'figures'} ({n_files} files)\n"
    return Page(folder / "report.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with its report; tests must not modify it."""
    comparison_dir = _write_comparison(tmp_path_factory.mktemp("comparison"))
    write_report(comparison_dir)
    return comparison_dir


@pytest.fixture
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def test_results_match_the_file(page: Page) -> None:
    content = build_comparison(TASKS)
    (table,) = page.tables("results").values()
    assert table.columns == ["task", "labels", *(name for name, _ in VARIANTS)]
    for task in [*TASKS, "overall"]:
        row = table.row(task)
        for name, variant in _index_by_name(content).items():
            estimate = variant["tasks"].get(task, variant["overall"])
            verdict = (variant["differences_from_reference"] or {}).get(task, {"verdict": "not resolved"})["verdict"]
            sign = "" if variant["kind"] == "majority" else SIGNS[verdict]
            interval = f"{estimate['low']:.4f} \N{EN DASH} {estimate['high']:.4f}"
            assert row[name] == f"{estimate['mean']:.4f}{sign} {interval}"
    delta_m = _index_by_name(content)["multi-task"]["delta_m"]["mean"]
    assert table.row("Δm")["multi-task"].startswith(f"{delta_m:+.1f} %".replace("-", "\N{MINUS SIGN}"))
    assert table.row("Δm")["single-task"] == "\N{EN DASH}"


def test_differences_match_the_file(page: Page) -> None:
    (table,) = page.tables("differences").values()
    assert len(table.rows) == 3 * 4
    for name in ("multi-task", "equal", "uncertainty"):
        for task, difference in _index_by_name(build_comparison(TASKS))[name]["differences_from_reference"].items():
            row = table.row(task, name)
            assert row["difference"] == _format_signed(difference["mean"])
            assert (
                row["95 % interval"]
                == f"{_format_signed(difference['low'])} \N{EN DASH} {_format_signed(difference['high'])}"
            )
            assert row["verdict"] == difference["verdict"]


def test_markers_are_unfilled_if_the_interval_contains_zero(page: Page) -> None:
    svg = next(variant for variant in page.drawings if "Difference" not in variant and "single-task, points" in variant)
    n_unfilled = len(re.findall(r"<use [^>]*fill: var\(--paper\)", svg))
    verdicts = [
        difference["verdict"]
        for name, variant in _index_by_name(build_comparison(TASKS)).items()
        if name not in {"single-task", "majority"}
        for difference in variant["differences_from_reference"].values()
    ]
    assert n_unfilled == verdicts.count("not resolved")
    assert 0 < n_unfilled < len(verdicts)


def test_page_describes_the_comparison(page: Page) -> None:
    summary = page.section("summary").text
    assert summary == "Summary Together is better overall. No task suffered <b>much</b>."
    assert "differences, Benjamini and Hochberg" in page.section("method").text
    assert "3 seeds" in page.section("method").text
    assert next(page.section("interactions").find_all("svg")).attributes["aria-label"].startswith("Heat map of 3 tasks")
    cost = page.tables("cost")["Training and inference cost"].row("uncertainty")
    assert (cost["parameters"], cost["training time"], cost["inference time"]) == ("123,456", "12.5 s", "0.25 ms")
    assert cost["settings"] == "weighting=uncertainty"
    assert page.references() == []
    variants = _index_by_name(build_comparison(TASKS))
    assert page.headline.startswith(
        f"{100 * variants['multi-task']['overall']['mean']:.1f} % of the test labels correct"
    )


def test_files_for_a_paper(folder: Path, tmp_path: Path, mtl: Mtl) -> None:
    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"bars.pdf", "bars.svg", "differences.pdf", "differences.svg", "delta-m.pdf"} <= names
    bars = (folder / "figures" / "bars.pdf").read_bytes()
    width = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", bars)
    assert width
    assert float(width[1]) == pytest.approx(3.3 * 72)
    assert b"/Subtype /Image" not in bars
    _render_page(_write_comparison(tmp_path), mtl)
    for name in names:
        assert (tmp_path / "figures" / name).read_bytes() == (folder / "figures" / name).read_bytes(), name


@pytest.mark.parametrize("tasks", [2, 20])
def test_few_tasks_are_listed(tmp_path: Path, tasks: int, mtl: Mtl) -> None:
    names = [f"intent {number}" for number in range(tasks)]
    write_json(tmp_path, "comparison.json", build_comparison(names))
    page = _render_page(tmp_path, mtl)
    assert page.path.stat().st_size < 3e6
    (table,) = page.tables("results").values()
    assert len(table.rows) == tasks + 2
    (text,) = [svg.attributes["aria-label"] for svg in page.section("results").find_all("svg")]
    assert all(f"{name}: " in text for name in names)


def test_many_tasks_are_summarized(tmp_path: Path, mtl: Mtl) -> None:
    write_json(tmp_path, "comparison.json", build_comparison([f"intent {number}" for number in range(617)]))
    page = _render_page(tmp_path, mtl)
    assert page.path.stat().st_size < 1e6
    (verdicts,) = page.tables("results").values()
    assert all(sum(int(cell) for cell in row[1:6]) == 617 for row in verdicts.rows)
    histogram = next(iter(page.section("results").find_all("svg"))).attributes["aria-label"]
    assert "over 617 tasks" in histogram
    ranked = list(page.tables("differences").values())
    assert [len(table.rows) for table in ranked] == [10, 10]
    (table,) = page.tables("tasks").values()
    assert len(table.rows) == 617


def test_tasks_with_different_metrics(tmp_path: Path, mtl: Mtl) -> None:
    content = build_comparison(["place", "nights", "tags"], {"nights": "mae", "tags": "micro_f1"})
    content["variants"][0]["tasks"]["nights"] = {"mean": None, "low": None, "high": None, "seeds": [None]}
    write_json(tmp_path, "comparison.json", content)
    page = _render_page(tmp_path, mtl)
    (table,) = page.tables("results").values()
    assert [row[2] for row in table.rows[:3]] == ["accuracy", "mae ↓", "micro f1"]
    assert table.row("nights")["multi-task"] == "undefined"
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"bars-accuracy.pdf", "bars-nights.pdf", "bars-micro-f1.pdf"} <= names
    assert "mean relative gain" in page.headline


def test_more_variants_than_colours(tmp_path: Path, mtl: Mtl) -> None:
    variants = [*VARIANTS, *((f"way {number}", "variant") for number in range(7))]
    write_json(tmp_path, "comparison.json", build_comparison(TASKS, variants=variants))
    page = _render_page(tmp_path, mtl)
    assert "Of 12 variants, 8 are shown." in page.section("results").text
    label = next(page.section("results").find_all("svg")).attributes["aria-label"]
    assert all(name in label for name in ("multi-task", "single-task", "majority", "equal"))
    (table,) = page.tables("results").values()
    assert len(table.columns) == 2 + 12


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**build_comparison(TASKS), "variants": []}),
        json.dumps({**build_comparison(TASKS), "seeds": "x"}),
    ],
)
def test_damaged_comparison_is_one_message(tmp_path: Path, content: str, mtl: Mtl) -> None:
    (tmp_path / "comparison.json").write_text(content, encoding="utf-8")
    result = mtl("report", tmp_path)
    assert result.returncode == 2
    assert f"{tmp_path / 'comparison.json'}: damaged" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_figures_can_be_written_elsewhere(tmp_path: Path, mtl: Mtl) -> None:
    folder = write_json(
        tmp_path / "comparison", "comparison.json", build_comparison(TASKS[:2], variants=VARIANTS[:3])
    ).parent
    result = mtl("report", folder, "--figures", tmp_path / "elsewhere")
    assert result.returncode == 0
    assert (tmp_path / "elsewhere" / "bars.pdf").is_file()
    assert not (folder / "figures").exists()
    (tmp_path / "file").touch()
    result = mtl("report", folder, "--figures", tmp_path / "file")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "cannot create the directory for figures" in result.stderr
