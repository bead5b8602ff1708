"""The report of a run is complete, agrees with the files of the run, and is self-contained."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from report_examples import interactions, write
from report_pages import Page, Table

from mtl_core.report.intervals import wilson

Mtl = Callable[..., CompletedProcess[str]]
RUNS = ["tiny_run", "every_kind_run", "numbers_run", "many_run"]
MEGABYTES = 3


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


@pytest.fixture
def copy(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def _metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


def _change(run: Path, change: Callable[[dict[str, Any]], None], name: str = "metrics.json") -> None:
    found = json.loads((run / name).read_text(encoding="utf-8"))
    change(found)
    (run / name).write_text(json.dumps(found), encoding="utf-8")


def _written(value: float | None, n: int) -> str:
    if value is None:
        return f"undefined (n = {n:,})"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def test_a_run_writes_its_report(run: Path) -> None:
    page = Page(run / "report.html")
    assert page.html.attributes["lang"] == "en"
    assert (run / "report.html").stat().st_size < MEGABYTES * 1e6
    sections = [node.attributes["id"] for node in page.html.all("section")]
    assert {"summary", "results", "learning", "data", "cost", "method", "settings"} <= set(sections)
    assert "0 labels" not in page.headline


def test_nothing_is_asked_of_any_network(run: Path) -> None:
    page = Page(run / "report.html")
    assert page.references() == []
    assert "http:" not in page.source
    assert "https:" not in page.source
    assert "default-src 'none'" in page.source


def test_a_page_can_be_read_by_everybody(run: Path) -> None:
    page = Page(run / "report.html")
    links = [node.attributes["href"] for node in page.html.all("a")]
    assert links[0] == "#content"
    assert {link[1:] for link in links} <= page.ids
    assert {f"#{node.attributes['id']}" for node in page.html.all("section")} <= set(links)
    assert len(list(page.html.all("h1"))) == len(list(page.html.all("main"))) == 1
    for section in page.html.all("section"):
        assert section.attributes["aria-labelledby"] in page.ids
    for table in page.html.all("table"):
        assert table.one("caption").text
        assert {cell.attributes["scope"] for cell in table.one("thead").all("th")} == {"col"}
        assert {cell.attributes["scope"] for cell in table.one("tbody").all("th")} == {"row"}
    for figure in page.html.all("figure"):
        assert figure.one("figcaption").text
        for svg in figure.all("svg"):
            assert svg.attributes["role"] == "img"
            assert len(svg.attributes["aria-label"]) > 20


def test_the_same_run_gives_the_same_bytes(copy: Path, mtl: Mtl) -> None:
    first = (copy / "report.html").read_bytes()
    (copy / "report.html").unlink()
    done = mtl("report", copy)
    assert (done.returncode, done.stdout) == (0, f"report: {copy / 'report.html'}\n")
    assert (copy / "report.html").read_bytes() == first


@pytest.mark.parametrize("part", ["test", "validation"])
def test_figures_are_those_of_metrics_json(tiny_run: Path, part: str) -> None:
    found = _metrics(tiny_run)
    examples = found["data"]["examples"][part]
    table = _result_table(tiny_run, part, examples)
    figures = found["splits"][part]
    assert [row[0] for row in table.rows] == [*figures["tasks"], "overall"]
    for name, entry in {**figures["tasks"], "overall": figures["overall"]}.items():
        row = table.row(name)
        assert row["labels"] == f"{entry['n']:,}"
        assert row["correct"] == f"{entry['correct']:,}"
        assert row["accuracy"] == _written(entry["accuracy"], entry["n"])
        assert row["majority"] == _written(entry["majority_accuracy"], entry["n"])
        low, high = wilson(entry["correct"], entry["n"])
        assert row["95 % interval"] == f"{low:.4f} \N{EN DASH} {high:.4f}"
        if name != "overall":
            assert row["macro f1"] == _written(entry["macro_f1"], entry["n"])


def _result_table(run: Path, part: str, examples: int) -> Table:
    return Page(run / "report.html").tables("results")[f"{part.capitalize()} data, {examples:,} examples"]


def test_mixed_figures_are_those_of_metrics_json(every_kind_run: Path) -> None:
    found = _metrics(every_kind_run)
    table = _result_table(every_kind_run, "test", found["data"]["examples"]["test"])
    for name, entry in found["splits"]["test"]["tasks"].items():
        row = table.row(name)
        metric = row["metric"].removesuffix(" ↓").replace(" ", "_")
        assert (row["labels"], row["value"]) == (f"{entry['n']:,}", _written(entry[metric], entry["n"]))
        baseline = entry.get(f"majority_{metric}", entry.get(f"baseline_{metric}"))
        assert row["baseline"] == _written(baseline, entry["n"])
        assert row["metric"].endswith("↓") == (metric in {"mae", "rank_distance"})
        others = [key for key in entry if f"baseline_{key}" in entry or f"majority_{key}" in entry]
        for other in set(others) - {metric}:
            assert f"{other.replace('_', ' ')} {_written(entry[other], entry['n'])}" in row["other metrics"]


def test_the_headline_says_shares_in_words(tiny_run: Path) -> None:
    overall = _metrics(tiny_run)["splits"]["test"]["overall"]
    assert Page(tiny_run / "report.html").headline == (
        f"{100 * overall['accuracy']:.1f} % of {overall['n']} test labels correct; majority-class "
        f"baseline: {100 * overall['majority_accuracy']:.1f} %."
    )


def test_confusion_matrices_are_those_of_metrics_json(every_kind_run: Path) -> None:
    tasks = _metrics(every_kind_run)["splits"]["test"]["tasks"]
    state = json.loads((every_kind_run / "state.json").read_text(encoding="utf-8"))
    classes = {task["name"]: task["space"].get("classes") for task in state["tasks"]}
    tables = Page(every_kind_run / "report.html").tables("confusion")
    assert set(tables) == {"place", "recommended", "stars", "pos"}
    assert set(tables) == {name for name, entry in tasks.items() if "confusion" in entry}
    for name, table in tables.items():
        assert table.columns[1:] == [row[0] for row in table.rows] == classes[name]
        assert [[int(cell) for cell in row[1:]] for row in table.rows] == tasks[name]["confusion"]


def test_data_is_counted(tiny_run: Path) -> None:
    found = _metrics(tiny_run)["data"]
    tables = Page(tiny_run / "report.html").tables("data")
    assert {row[0]: int(row[1]) for row in tables["Examples"].rows} == found["examples"]
    labels = next(table for caption, table in tables.items() if caption.startswith("Labels"))
    rows = {(row[0], row[1]): row[2:] for row in labels.rows}
    parts = labels.columns[2:]
    for place, part in enumerate(parts):
        for task, counts in found["label_counts"][part].items():
            for label, number in counts.items():
                share = number / sum(counts.values())
                assert rows[task, label][place] == f"{number:,} {100 * share:.1f} %"
    worst = found["split_deviation"]
    assert f"{worst['task']} = {worst['label']}" in Page(tiny_run / "report.html").section("data").text
    assert f"{worst['points']:.2f} percentage points" in Page(tiny_run / "report.html").section("data").text


def test_learning_curves_of_every_task(tiny_run: Path) -> None:
    section = Page(tiny_run / "report.html").section("learning")
    texts = [svg.attributes["aria-label"] for svg in section.all("svg")]
    best = _metrics(tiny_run)["model"]["best_epoch"]
    for task in ("food", "service", "price"):
        assert any(text.startswith(f"{task}: training loss") and f"epoch {best}, which" in text for text in texts)
    assert "the loss of the refit" in section.text
    rows = {row[0] for row in Table(section.one("table")).rows}
    assert {"selection 1", "selection 2", "refit 1"} <= rows


def test_what_it_took_is_told(tiny_run: Path) -> None:
    timing = _metrics(tiny_run)["timing"]
    assert timing["peak_memory_mb"] > 50
    rows = {row[0]: row[1] for row in Page(tiny_run / "report.html").tables("cost")["Resources"].rows}
    assert rows["peak memory of the process"] == f"{timing['peak_memory_mb']:,.0f} MB"
    assert rows["trainable parameters"] == f"{_metrics(tiny_run)['model']['parameters']:,}"


def test_the_config_stands_in_it(tiny_run: Path) -> None:
    section = Page(tiny_run / "report.html").section("settings")
    config = (tiny_run / "config.yaml").read_text(encoding="utf-8")
    assert "".join(child for child in section.one("pre").children if isinstance(child, str)) == config


def test_auxiliary_tasks_and_their_costs(every_kind_run: Path) -> None:
    cost = _metrics(every_kind_run)["auxiliary"]["reconstruction"]
    row = Page(every_kind_run / "report.html").tables("auxiliary")["Cost of auxiliary tasks"].row("reconstruction")
    assert row["parameters"] == f"{cost['parameters']:,}"
    assert row["step time with the task"] == f"{cost['step_ms']:.1f} ms"
    assert (row["overhead"] == "not measurable") == (not cost["measurable"])


def test_interactions_that_the_run_measured(tiny_run: Path) -> None:
    found = json.loads((tiny_run / "interactions.json").read_text(encoding="utf-8"))
    section = Page(tiny_run / "report.html").section("interactions")
    assert "Heat map of 3 tasks" in next(section.all("svg")).attributes["aria-label"]
    rows = {row[0]: row for row in Table(next(section.all("table"))).rows}
    assert len(rows) == 3
    for a, b in ((0, 1), (0, 2), (1, 2)):
        row = rows[f"{found['tasks'][a]} \N{EN DASH} {found['tasks'][b]}"]
        assert row[1].startswith(f"{found['cosine'][a][b]:+.4f}".replace("-", "\N{MINUS SIGN}"))
        assert row[2] == f"{100 * found['conflicts'][a][b]:.1f} %"
        assert row[3] == str(found["steps"][a][b])


@pytest.mark.parametrize("tasks", [2, 5, 100])
def test_interactions_of_any_number_of_tasks(copy: Path, tasks: int, mtl: Mtl) -> None:
    names = [f"task {number}" for number in range(tasks)]
    write(copy, "interactions.json", interactions(names))
    assert mtl("report", copy).returncode == 0
    page = Page(copy / "report.html")
    section = page.section("interactions")
    assert (copy / "report.html").stat().st_size < MEGABYTES * 1e6
    assert "may be better off apart" in section.text
    numbered = [svg for svg in page.drawings if "Heat map" in svg and re.search(r">[+\N{MINUS SIGN}]\d", svg)]
    assert len(numbered) == (2 if tasks <= 16 else 0)
    assert ("numbers are omitted" in section.text) == (tasks > 16)
    assert ("most conflicting pairs" in section.text) == (tasks > 7)


def test_what_is_undefined_is_named(numbers_run: Path) -> None:
    page = Page(numbers_run / "report.html")
    row = page.tables("results")["Test data, 12 examples"].row("large")
    assert row["mae"] == "undefined (n = 0)"
    assert "nan" not in page.text.lower()
    assert "Undefined, because the test data has no labels that count: large." in page.text


def test_numbers_alone_have_no_page_on_classes(numbers_run: Path) -> None:
    ids = Page(numbers_run / "report.html").ids
    assert not ids & {"confusion", "calibration", "mistakes"}
    assert "smaller is better" in Page(numbers_run / "report.html").source


def test_sixty_tasks_stay_readable(many_run: Path) -> None:
    page = Page(many_run / "report.html")
    assert len(page.tables("results")["Test data, 40 examples"].rows) == 61
    assert "Of 60 tasks, the 12 with most labels are shown" in page.section("learning").text
    assert "Of 60 tasks, the 8 with most predictions are shown" in page.section("calibration").text
    assert "The other 48 tasks" in page.section("confusion").text
    assert len(list(page.section("confusion").all("table"))) == 60
    bars = [svg.attributes["aria-label"] for svg in page.section("results").all("svg")]
    assert sum(text.count("(majority") for text in bars) == 61


NASTY = "<script>alert(1)</script> & \"quotes\" 'more' $x_1$ {{ 7 * 7 }} %s \\ \u202e 漢字 ]]> 1.23456 #0a0001"


def test_what_the_data_says_stays_text(copy: Path, mtl: Mtl) -> None:
    """Escape texts, names of tasks, labels, disclaimers, warnings and settings."""

    def spoil(metrics: dict[str, Any]) -> None:
        metrics["experiment"] = metrics["data"]["notice"] = NASTY
        metrics["data"]["findings"] = [NASTY]
        for part in metrics["splits"].values():
            part["tasks"][NASTY] = part["tasks"].pop("food")
        for counts in metrics["data"]["label_counts"].values():
            counts[NASTY] = {NASTY: 1, **counts.pop("food")}

    def spoil_state(state: dict[str, Any]) -> None:
        state["tasks"][0]["name"] = NASTY
        state["tasks"][0]["space"]["classes"][0] = NASTY

    _change(copy, spoil)
    _change(copy, spoil_state, "state.json")
    with (copy / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(f"# {NASTY}\n")
    mistake = {"task": NASTY, "id": NASTY, "text": NASTY, "label": NASTY, "gold": NASTY, "confidence": 0.5}
    words = {"tokens": NASTY.split(), "attention": [1 / len(NASTY.split())] * len(NASTY.split())}
    lines = [json.dumps({**mistake, **extra}) + "\n" for extra in ({}, words)]
    (copy / "mistakes.jsonl").write_text("".join(lines), encoding="utf-8")
    write(copy, "interactions.json", interactions([NASTY, "service", "price"]))
    done = mtl("report", copy)
    assert (done.returncode, done.stderr) == (0, "")
    page = Page(copy / "report.html")
    assert page.references() == []
    assert "<script" not in page.source
    plain = " ".join(NASTY.split())
    assert page.html.one("h1").text == plain
    for section in ("results", "data", "confusion", "mistakes", "interactions", "settings"):
        assert plain in page.section(section).text, section
    assert "49" not in page.html.one("h1").text


def test_figures_for_a_paper(numbers_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    run, folder = shutil.copytree(numbers_run, tmp_path / "run"), tmp_path / "deep" / "figures"
    done = mtl("report", run, "--figures", folder)
    assert done.returncode == 0
    names = {path.name for path in folder.iterdir()}
    assert f"({len(names)} files)" in done.stdout
    stems = ["results-mae", "learning-1-double", "learning-2-large"]
    assert names == {f"{stem}.{ending}" for stem in stems for ending in ("pdf", "svg")}
    pdf = (folder / "results-mae.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf
    assert b"/Subtype /Image" not in pdf
    svg = (folder / "results-mae.svg").read_text(encoding="utf-8")
    assert "#0072b2" in svg
    assert "#0a000" not in svg
    assert "var(" not in svg


@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "state.json", "predictions.jsonl", "config.yaml"])
def test_a_missing_file_is_one_message(copy: Path, name: str, mtl: Mtl) -> None:
    (copy / name).unlink()
    before = (copy / "report.html").read_bytes()
    done = mtl("report", copy)
    assert done.returncode == 2
    assert name in done.stderr
    assert done.stderr.count("\n") == 1
    assert (copy / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", "{"),
        ("metrics.json", "[1]"),
        ("metrics.json", '{"experiment": "x"}'),
        ("metrics.json", "\udcff"),
        ("history.csv", "stage,epoch,train.food.loss\nselection,one,0.1\n"),
        ("state.json", '{"format": 2}'),
        ("predictions.jsonl", '{"tasks": {}}\n{"tas'),
        ("predictions.jsonl", '{"id": 3}\n'),
        ("mistakes.jsonl", '{"task": "food"}\n'),
        ("interactions.json", '{"tasks": ["a", "b"], "cosine": [[1]], "conflicts": [], "steps": []}'),
    ],
)
def test_a_damaged_file_is_one_message(copy: Path, name: str, content: str, mtl: Mtl) -> None:
    (copy / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    done = mtl("report", copy)
    assert done.returncode == 2
    assert f"{copy / name}" in done.stderr
    assert "damaged" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_is_no_run(tmp_path: Path, mtl: Mtl) -> None:
    done = mtl("report", tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        f"error: {tmp_path}: neither a run directory (it contains no config.yaml) nor a comparison (it contains no "
        "comparison.json)\n",
    )
    assert mtl("report", tmp_path / "absent").stderr == f"error: {tmp_path / 'absent'}: no such run directory\n"


def test_a_report_that_cannot_be_written_spoils_no_run(copy: Path, mtl: Mtl) -> None:
    metrics = _metrics(copy)
    (copy / "metrics.json").unlink()
    (copy / "report.html").unlink()
    (copy / "report.html").mkdir()
    done = mtl("resume", copy)
    assert done.returncode == 2
    assert "the report could not be written" in done.stderr
    assert f"the run itself is complete; `mtl report {copy}` retries it" in done.stderr
    assert _metrics(copy)["splits"] == metrics["splits"]
    (copy / "report.html").rmdir()
    assert mtl("report", copy).returncode == 0


def test_files_of_older_runs_are_enough(copy: Path, mtl: Mtl) -> None:
    """Write a report without mistakes, interactions and the newer keys of metrics.json."""
    (copy / "mistakes.jsonl").unlink()
    (copy / "interactions.json").unlink()
    _change(copy, lambda metrics: [metrics.pop("lower_is_better"), metrics["timing"].pop("peak_memory_mb")])
    assert mtl("report", copy).returncode == 0
    assert not Page(copy / "report.html").ids & {"mistakes", "interactions"}
