"""The report of a comparison agrees with `comparison.json` and includes figures for a paper."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from report_examples import VARIANTS, comparison, interactions, write
from report_pages import Page

from mtl_core.report.write import write_report

Mtl = Callable[..., CompletedProcess[str]]
TASKS = ["food", "anecdotes/misc_", "price"]
SIGNS = {"gained": " ▲", "suffered": " ▼", "noise": ""}


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "\N{MINUS SIGN}")


def _by_name(found: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in found["variants"]}


def _made(folder: Path) -> Path:
    write(folder, "comparison.json", comparison(TASKS))
    write(folder / "runs" / "multi-task-seed1", "interactions.json", interactions(TASKS))
    return folder


def _page(folder: Path, mtl: Mtl) -> Page:
    done = mtl("report", folder)
    assert (done.returncode, done.stderr) == (0, "")
    files = len(list((folder / "figures").iterdir()))
    assert done.stdout == f"report: {folder / 'report.html'}\nfigures: {folder / 'figures'} ({files} files)\n"
    return Page(folder / "report.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with its report; tests must not modify it."""
    made = _made(tmp_path_factory.mktemp("comparison"))
    write_report(made)
    return made


@pytest.fixture
def page(folder: Path) -> Page:
    return Page(folder / "report.html")


def test_figures_are_those_of_the_file(page: Page) -> None:
    found = comparison(TASKS)
    (table,) = page.tables("results").values()
    assert table.columns == ["task", "labels", *(name for name, _ in VARIANTS)]
    for task in [*TASKS, "overall"]:
        row = table.row(task)
        for name, one in _by_name(found).items():
            figure = one["tasks"].get(task, one["overall"])
            verdict = (one["against_single"] or {}).get(task, {"verdict": "noise"})["verdict"]
            sign = "" if one["kind"] == "majority" else SIGNS[verdict]
            ends = f"{figure['low']:.4f} \N{EN DASH} {figure['high']:.4f}"
            assert row[name] == f"{figure['mean']:.4f}{sign} {ends}"
    gain = _by_name(found)["multi-task"]["delta_m"]["mean"]
    assert table.row("Δm")["multi-task"].startswith(f"{gain:+.1f} %".replace("-", "\N{MINUS SIGN}"))
    assert table.row("Δm")["single-task"] == "\N{EN DASH}"


def test_differences_are_those_of_the_file(page: Page) -> None:
    (table,) = page.tables("differences").values()
    assert len(table.rows) == 3 * 4
    for name in ("multi-task", "equal", "uncertainty"):
        for task, difference in _by_name(comparison(TASKS))[name]["against_single"].items():
            row = table.row(task, name)
            assert row["difference"] == _signed(difference["mean"])
            assert row["95 % interval"] == f"{_signed(difference['low'])} \N{EN DASH} {_signed(difference['high'])}"
            assert row["verdict"] == difference["verdict"]


def test_marks_are_hollow_where_the_interval_holds_zero(page: Page) -> None:
    svg = next(one for one in page.drawings if "Difference" not in one and "single-task, points" in one)
    hollow = len(re.findall(r"<use [^>]*fill: var\(--paper\)", svg))
    gaps = [
        difference["verdict"]
        for name, one in _by_name(comparison(TASKS)).items()
        if name not in {"single-task", "majority"}
        for difference in one["against_single"].values()
    ]
    assert hollow == gaps.count("noise")
    assert 0 < hollow < len(gaps)


def test_the_page_says_what_was_done(page: Page) -> None:
    words = page.section("summary").text
    assert words == "Summary Together is better overall. No task suffered <b>much</b>."
    assert "1,000 times" in page.section("method").text
    assert "3 seeds" in page.section("method").text
    assert next(page.section("interactions").all("svg")).attributes["aria-label"].startswith("Heat map of 3 tasks")
    cost = page.tables("cost")["Training and inference cost"].row("uncertainty")
    assert (cost["parameters"], cost["training time"], cost["inference time"]) == ("123,456", "12.5 s", "0.25 ms")
    assert cost["settings"] == "weighting=uncertainty"
    assert page.references() == []
    found = _by_name(comparison(TASKS))
    assert page.headline.startswith(
        f"{100 * found['multi-task']['overall']['mean']:.1f} % of the test labels correct"
    )


def test_files_for_a_paper(folder: Path, tmp_path: Path, mtl: Mtl) -> None:
    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"bars.pdf", "bars.svg", "differences.pdf", "differences.svg", "delta-m.pdf"} <= names
    bars = (folder / "figures" / "bars.pdf").read_bytes()
    width = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", bars)
    assert width
    assert float(width[1]) == pytest.approx(3.3 * 72)
    assert b"/Subtype /Image" not in bars
    _page(_made(tmp_path), mtl)
    for name in names:
        assert (tmp_path / "figures" / name).read_bytes() == (folder / "figures" / name).read_bytes(), name


@pytest.mark.parametrize("tasks", [2, 100])
def test_any_number_of_tasks(tmp_path: Path, tasks: int, mtl: Mtl) -> None:
    names = [f"intent {number}" for number in range(tasks)]
    write(tmp_path, "comparison.json", comparison(names))
    page = _page(tmp_path, mtl)
    assert page.path.stat().st_size < 3e6
    (table,) = page.tables("results").values()
    assert len(table.rows) == tasks + 2
    texts = [svg.attributes["aria-label"] for svg in page.section("results").all("svg")]
    assert len(texts) == 1 + tasks // 40
    assert all(sum(f"{name}: " in text for text in texts) == 1 for name in names)


def test_tasks_with_metrics_of_their_own(tmp_path: Path, mtl: Mtl) -> None:
    found = comparison(["place", "nights", "tags"], {"nights": "mae", "tags": "micro_f1"})
    found["variants"][0]["tasks"]["nights"] = {"mean": None, "low": None, "high": None, "seeds": [None]}
    write(tmp_path, "comparison.json", found)
    page = _page(tmp_path, mtl)
    (table,) = page.tables("results").values()
    assert [row[2] for row in table.rows[:3]] == ["accuracy", "mae ↓", "micro f1"]
    assert table.row("nights")["multi-task"] == "undefined"
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"bars-accuracy.pdf", "bars-nights.pdf", "bars-micro-f1.pdf"} <= names
    assert "mean relative gain" in page.headline


def test_more_ways_than_colours(tmp_path: Path, mtl: Mtl) -> None:
    variants = [*VARIANTS, *((f"way {number}", "variant") for number in range(7))]
    write(tmp_path, "comparison.json", comparison(TASKS, variants=variants))
    page = _page(tmp_path, mtl)
    assert "Of 12 variants, 8 are shown." in page.section("results").text
    label = next(page.section("results").all("svg")).attributes["aria-label"]
    assert all(name in label for name in ("multi-task", "single-task", "majority", "equal"))
    (table,) = page.tables("results").values()
    assert len(table.columns) == 2 + 12


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**comparison(TASKS), "variants": []}),
        json.dumps({**comparison(TASKS), "seeds": "x"}),
    ],
)
def test_a_damaged_file_is_one_message(tmp_path: Path, content: str, mtl: Mtl) -> None:
    (tmp_path / "comparison.json").write_text(content, encoding="utf-8")
    done = mtl("report", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'comparison.json'}: damaged" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_figures_can_be_written_elsewhere(tmp_path: Path, mtl: Mtl) -> None:
    folder = write(tmp_path / "comparison", "comparison.json", comparison(TASKS[:2], variants=VARIANTS[:3])).parent
    done = mtl("report", folder, "--figures", tmp_path / "elsewhere")
    assert done.returncode == 0
    assert (tmp_path / "elsewhere" / "bars.pdf").is_file()
    assert not (folder / "figures").exists()
    (tmp_path / "file").touch()
    done = mtl("report", folder, "--figures", tmp_path / "file")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot create the directory for figures" in done.stderr
