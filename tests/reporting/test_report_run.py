"""The report of a run is complete, agrees with the files of the run, and is self-contained."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from report_examples import build_interactions, write_json
from report_pages import Page, Table

from mtl_core.reporting.wilson_interval import compute_wilson_interval

pytestmark = pytest.mark.usefixtures("shared_pipelines")

Mtl = Callable[..., CompletedProcess[str]]
RUNS = ["tiny_run", "every_kind_run", "numbers_run", "many_run"]
MAX_MEGABYTES = 3


@pytest.fixture(params=RUNS)
def run_dir(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


@pytest.fixture
def tiny_run_copy(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def _load_metrics(run_dir: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def _change_json(run_dir: Path, change: Callable[[dict[str, Any]], object], name: str = "metrics.json") -> None:
    content = json.loads((run_dir / name).read_text(encoding="utf-8"))
    change(content)
    (run_dir / name).write_text(json.dumps(content), encoding="utf-8")


def _format_value(value: float | None, n: int) -> str:
    if value is None:
        return f"undefined (n = {n:,})"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"


def test_run_writes_its_report(run_dir: Path) -> None:
    page = Page(run_dir / "report.html")
    assert page.html.attributes["lang"] == "en"
    assert (run_dir / "report.html").stat().st_size < MAX_MEGABYTES * 1e6
    sections = [node.attributes["id"] for node in page.html.find_all("section")]
    assert {"summary", "results", "learning", "data", "cost", "method", "settings"} <= set(sections)
    assert "0 labels" not in page.headline


def test_page_requests_nothing_from_the_network(run_dir: Path) -> None:
    page = Page(run_dir / "report.html")
    assert page.references() == []
    assert "http:" not in page.source
    assert "https:" not in page.source
    assert "default-src 'none'" in page.source


def test_page_is_accessible(run_dir: Path) -> None:
    page = Page(run_dir / "report.html")
    links = [node.attributes["href"] for node in page.html.find_all("a")]
    assert links[0] == "#content"
    assert {link[1:] for link in links} <= page.ids
    assert {f"#{node.attributes['id']}" for node in page.html.find_all("section")} <= set(links)
    assert len(list(page.html.find_all("h1"))) == len(list(page.html.find_all("main"))) == 1
    for section in page.html.find_all("section"):
        assert section.attributes["aria-labelledby"] in page.ids
    for table in page.html.find_all("table"):
        assert table.find_one("caption").text
        assert {cell.attributes["scope"] for cell in table.find_one("thead").find_all("th")} == {"col"}
        assert {cell.attributes["scope"] for cell in table.find_one("tbody").find_all("th")} == {"row"}
    for figure in page.html.find_all("figure"):
        assert figure.find_one("figcaption").text
        for svg in figure.find_all("svg"):
            assert svg.attributes["role"] == "img"
            assert len(svg.attributes["aria-label"]) > 20


def test_report_is_byte_identical(tiny_run_copy: Path, mtl: Mtl) -> None:
    first = (tiny_run_copy / "report.html").read_bytes()
    (tiny_run_copy / "report.html").unlink()
    result = mtl("report", tiny_run_copy)
    assert (result.returncode, result.stdout) == (0, f"report: {tiny_run_copy / 'report.html'}\n")
    assert (tiny_run_copy / "report.html").read_bytes() == first


@pytest.mark.parametrize("split_name", ["test", "validation"])
def test_results_match_metrics_json(tiny_run: Path, split_name: str) -> None:
    metrics = _load_metrics(tiny_run)
    examples = metrics["data"]["examples"][split_name]
    table = _find_result_table(tiny_run, split_name, examples)
    split_metrics = metrics["splits"][split_name]
    assert [row[0] for row in table.rows] == [*split_metrics["tasks"], "overall"]
    for name, entry in {**split_metrics["tasks"], "overall": split_metrics["overall"]}.items():
        row = table.row(name)
        assert row["labels"] == f"{entry['n']:,}"
        assert row["correct"] == f"{entry['correct']:,}"
        assert row["accuracy"] == _format_value(entry["accuracy"], entry["n"])
        assert row["majority"] == _format_value(entry["majority_accuracy"], entry["n"])
        low, high = compute_wilson_interval(entry["correct"], entry["n"])
        assert row["95 % interval"] == f"{low:.4f} \N{EN DASH} {high:.4f}"
        if name != "overall":
            assert row["macro f1"] == _format_value(entry["macro_f1"], entry["n"])


def _find_result_table(run_dir: Path, split_name: str, examples: int) -> Table:
    return Page(run_dir / "report.html").tables("results")[f"{split_name.capitalize()} data, {examples:,} examples"]


def test_results_of_all_kinds_match_metrics_json(every_kind_run: Path) -> None:
    metrics = _load_metrics(every_kind_run)
    table = _find_result_table(every_kind_run, "test", metrics["data"]["examples"]["test"])
    for name, entry in metrics["splits"]["test"]["tasks"].items():
        row = table.row(name)
        metric = row["metric"].removesuffix(" ↓").replace(" ", "_")
        assert (row["labels"], row["value"]) == (f"{entry['n']:,}", _format_value(entry[metric], entry["n"]))
        baseline = entry.get(f"majority_{metric}", entry.get(f"baseline_{metric}"))
        assert row["baseline"] == _format_value(baseline, entry["n"])
        assert row["metric"].endswith("↓") == (metric in {"mae", "rank_distance"})
        metrics_with_baseline = [key for key in entry if f"baseline_{key}" in entry or f"majority_{key}" in entry]
        for other_metric in set(metrics_with_baseline) - {metric}:
            assert (
                f"{other_metric.replace('_', ' ')} {_format_value(entry[other_metric], entry['n'])}"
                in row["other metrics"]
            )


def test_headline_contains_accuracy_and_baseline(tiny_run: Path) -> None:
    overall = _load_metrics(tiny_run)["splits"]["test"]["overall"]
    assert Page(tiny_run / "report.html").headline == (
        f"{100 * overall['accuracy']:.1f} % of {overall['n']} test labels correct; majority-class "
        f"baseline: {100 * overall['majority_accuracy']:.1f} %."
    )


def test_confusion_matrices_match_metrics_json(every_kind_run: Path) -> None:
    tasks = _load_metrics(every_kind_run)["splits"]["test"]["tasks"]
    state = json.loads((every_kind_run / "state.json").read_text(encoding="utf-8"))
    classes = {task["name"]: task["space"].get("classes") for task in state["tasks"]}
    tables = Page(every_kind_run / "report.html").tables("confusion")
    assert set(tables) == {"place", "recommended", "stars", "pos"}
    assert set(tables) == {name for name, entry in tasks.items() if "confusion" in entry}
    for name, table in tables.items():
        assert table.columns[1:] == [row[0] for row in table.rows] == classes[name]
        assert [[int(cell) for cell in row[1:]] for row in table.rows] == tasks[name]["confusion"]


def test_data_counts_match_metrics_json(tiny_run: Path) -> None:
    data = _load_metrics(tiny_run)["data"]
    tables = Page(tiny_run / "report.html").tables("data")
    assert {row[0]: int(row[1]) for row in tables["Examples"].rows} == data["examples"]
    labels = next(table for caption, table in tables.items() if caption.startswith("Labels"))
    rows = {(row[0], row[1]): row[2:] for row in labels.rows}
    split_names = labels.columns[2:]
    for index, split_name in enumerate(split_names):
        for task, counts in data["label_counts"][split_name].items():
            for label, number in counts.items():
                fraction = number / sum(counts.values())
                assert rows[task, label][index] == f"{number:,} {100 * fraction:.1f} %"
    largest_imbalance = data["split_deviation"]
    assert (
        f"{largest_imbalance['task']} = {largest_imbalance['label']}"
        in Page(tiny_run / "report.html").section("data").text
    )
    assert f"{largest_imbalance['points']:.2f} percentage points" in Page(tiny_run / "report.html").section("data").text


def test_learning_curves_of_every_task(tiny_run: Path) -> None:
    section = Page(tiny_run / "report.html").section("learning")
    texts = [svg.attributes["aria-label"] for svg in section.find_all("svg")]
    best = _load_metrics(tiny_run)["model"]["best_epoch"]
    for task in ("food", "service", "price"):
        assert any(
            text.startswith(f"{task}: training loss") and f"epoch {best}, the selected epoch" in text for text in texts
        )
    assert "the loss of the refit" in section.text
    rows = {row[0] for row in Table(section.find_one("table")).rows}
    assert {"selection 1", "selection 2", "refit 1"} <= rows


def test_resources_are_reported(tiny_run: Path) -> None:
    timing = _load_metrics(tiny_run)["timing"]
    assert timing["peak_memory_mb"] > 50
    rows = {row[0]: row[1] for row in Page(tiny_run / "report.html").tables("cost")["Resources"].rows}
    assert rows["peak memory of the process"] == f"{timing['peak_memory_mb']:,.0f} MB"
    assert rows["trainable parameters"] == f"{_load_metrics(tiny_run)['model']['parameters']:,}"


def test_config_is_included(tiny_run: Path) -> None:
    section = Page(tiny_run / "report.html").section("settings")
    config = (tiny_run / "config.yaml").read_text(encoding="utf-8")
    assert "".join(child for child in section.find_one("pre").children if isinstance(child, str)) == config


def test_auxiliary_tasks_and_their_costs(every_kind_run: Path) -> None:
    cost = _load_metrics(every_kind_run)["auxiliary"]["reconstruction"]
    row = Page(every_kind_run / "report.html").tables("auxiliary")["Cost of auxiliary tasks"].row("reconstruction")
    assert row["parameters"] == f"{cost['parameters']:,}"
    assert row["step time with the task"] == f"{cost['step_ms']:.1f} ms"
    assert (row["overhead"] == "not measurable") == (not cost["measurable"])


def test_interactions_match_interactions_json(tiny_run: Path) -> None:
    content = json.loads((tiny_run / "interactions.json").read_text(encoding="utf-8"))
    section = Page(tiny_run / "report.html").section("interactions")
    assert "Heat map of 3 tasks" in next(section.find_all("svg")).attributes["aria-label"]
    rows = {row[0]: row for row in Table(next(section.find_all("table"))).rows}
    assert len(rows) == 3
    for a, b in ((0, 1), (0, 2), (1, 2)):
        row = rows[f"{content['tasks'][a]} \N{EN DASH} {content['tasks'][b]}"]
        assert row[1].startswith(f"{content['cosine'][a][b]:+.4f}".replace("-", "\N{MINUS SIGN}"))
        assert row[2] == f"{100 * content['conflicts'][a][b]:.1f} %"
        assert row[3] == str(content["steps"][a][b])


@pytest.mark.parametrize("tasks", [2, 5, 100])
def test_interactions_of_any_number_of_tasks(tiny_run_copy: Path, tasks: int, mtl: Mtl) -> None:
    names = [f"task {number}" for number in range(tasks)]
    write_json(tiny_run_copy, "interactions.json", build_interactions(names))
    assert mtl("report", tiny_run_copy).returncode == 0
    page = Page(tiny_run_copy / "report.html")
    section = page.section("interactions")
    assert (tiny_run_copy / "report.html").stat().st_size < MAX_MEGABYTES * 1e6
    assert "may be better off apart" in section.text
    numbered_drawings = [svg for svg in page.drawings if "Heat map" in svg and re.search(r">[+\N{MINUS SIGN}]\d", svg)]
    assert len(numbered_drawings) == (2 if tasks <= 16 else 0)
    assert ("numbers are omitted" in section.text) == (tasks > 16)
    assert ("most conflicting pairs" in section.text) == (tasks > 7)


def test_undefined_metrics_are_reported(numbers_run: Path) -> None:
    page = Page(numbers_run / "report.html")
    row = page.tables("results")["Test data, 12 examples"].row("large")
    assert row["mae"] == "undefined (n = 0)"
    assert "nan" not in re.findall(r"\w+", page.text.lower())
    assert "Undefined, because the test data has no labels that count: large." in page.text


def test_regression_report_has_no_class_sections(numbers_run: Path) -> None:
    ids = Page(numbers_run / "report.html").ids
    assert not ids & {"confusion", "calibration", "mistakes"}
    assert "smaller is better" in Page(numbers_run / "report.html").source


def test_sixty_tasks_are_summarized(many_run: Path) -> None:
    page = Page(many_run / "report.html")
    tables = page.tables("results")
    summary = tables["Test data, 40 examples, 60 tasks"]
    assert summary.columns[:4] == ["metric", "tasks", "undefined", "mean"]
    metrics = json.loads((many_run / "metrics.json").read_text(encoding="utf-8"))["splits"]["test"]
    values = [task["accuracy"] for task in metrics["tasks"].values()]
    mean_value = metrics["mean"]["accuracy"]["value"]
    assert mean_value == pytest.approx(sum(values) / 60)
    assert summary.rows[0][:4] == ["accuracy", "60", "0", f"{mean_value:.4f}"]
    n_better = sum(task["accuracy"] > task["majority_accuracy"] for task in metrics["tasks"].values())
    assert summary.rows[0][-2] == f"{n_better} of 60"
    best = [float(row[2]) for row in tables["10 best tasks by accuracy"].rows]
    worst = [float(row[2]) for row in tables["10 worst tasks by accuracy"].rows]
    assert best == pytest.approx(sorted(values, reverse=True)[:10], abs=1e-4)
    assert worst == pytest.approx(sorted(values)[:10], abs=1e-4)
    assert len(tables["Test data, 40 examples"].rows) == 61
    curves = [svg.attributes["aria-label"] for svg in page.section("learning").find_all("svg")]
    assert len(curves) == 1
    assert "validation accuracy" in page.section("learning").text
    assert len(list(page.section("calibration").find_all("svg"))) == 1
    assert "Expected calibration error per task: median" in page.section("calibration").text
    matrix = next(iter(page.tables("confusion").values()))
    expected = [
        [sum(task["confusion"][row][column] for task in metrics["tasks"].values()) for column in range(3)]
        for row in range(3)
    ]
    assert [[int(cell.replace(",", "")) for cell in row[1:]] for row in matrix.rows] == expected
    assert len(page.tables("data")["Labels per split"].rows) == 3
    assert len(list(page.section("mistakes").find_all("ol"))) == 1
    card = (many_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "10 best tasks by accuracy" in card
    assert len(card.splitlines()) < 200


def test_page_of_many_tasks_sorts_and_searches(many_run: Path, tiny_run: Path) -> None:
    assert Page(many_run / "report.html").source.count("<script>") == 1
    assert "<script" not in Page(tiny_run / "report.html").source


SPECIAL_TEXT = "<script>alert(1)</script> & \"quotes\" 'more' $x_1$ {{ 7 * 7 }} %s \\ \u202e 漢字 ]]> 1.23456 #0a0001"


def test_text_from_the_data_is_escaped(tiny_run_copy: Path, mtl: Mtl) -> None:
    """Escape texts, names of tasks, labels, disclaimers, warnings and settings."""

    def insert_special_text(metrics: dict[str, Any]) -> None:
        metrics["experiment"] = metrics["data"]["disclaimer"] = SPECIAL_TEXT
        metrics["data"]["warnings"] = [SPECIAL_TEXT]
        for split_metrics in metrics["splits"].values():
            split_metrics["tasks"][SPECIAL_TEXT] = split_metrics["tasks"].pop("food")
        for counts in metrics["data"]["label_counts"].values():
            counts[SPECIAL_TEXT] = {SPECIAL_TEXT: 1, **counts.pop("food")}

    def insert_special_names(state: dict[str, Any]) -> None:
        state["tasks"][0]["name"] = SPECIAL_TEXT
        state["tasks"][0]["space"]["classes"][0] = SPECIAL_TEXT

    _change_json(tiny_run_copy, insert_special_text)
    _change_json(tiny_run_copy, insert_special_names, "state.json")
    with (tiny_run_copy / "config.yaml").open("a", encoding="utf-8") as config:
        config.write(f"# {SPECIAL_TEXT}\n")
    mistake = {
        "task": SPECIAL_TEXT,
        "id": SPECIAL_TEXT,
        "text": SPECIAL_TEXT,
        "label": SPECIAL_TEXT,
        "gold": SPECIAL_TEXT,
        "confidence": 0.5,
    }
    attention_fields = {
        "tokens": SPECIAL_TEXT.split(),
        "attention": [1 / len(SPECIAL_TEXT.split())] * len(SPECIAL_TEXT.split()),
    }
    lines = [json.dumps({**mistake, **extra}) + "\n" for extra in ({}, attention_fields)]
    (tiny_run_copy / "mistakes.jsonl").write_text("".join(lines), encoding="utf-8")
    write_json(tiny_run_copy, "interactions.json", build_interactions([SPECIAL_TEXT, "service", "price"]))
    result = mtl("report", tiny_run_copy)
    assert (result.returncode, result.stderr) == (0, "")
    page = Page(tiny_run_copy / "report.html")
    assert page.references() == []
    assert "<script" not in page.source
    expected_text = " ".join(SPECIAL_TEXT.split())
    assert page.html.find_one("h1").text == expected_text
    for section in ("results", "data", "confusion", "mistakes", "interactions", "settings"):
        assert expected_text in page.section(section).text, section
    assert "49" not in page.html.find_one("h1").text


def test_figures_for_a_paper(numbers_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    run_dir, folder = shutil.copytree(numbers_run, tmp_path / "run"), tmp_path / "deep" / "figures"
    result = mtl("report", run_dir, "--figures", folder)
    assert result.returncode == 0
    names = {path.name for path in folder.iterdir()}
    assert f"({len(names)} files)" in result.stdout
    stems = ["results-mae", "learning-1-double", "learning-2-large"]
    assert names == {f"{stem}.{suffix}" for stem in stems for suffix in ("pdf", "svg")}
    pdf = (folder / "results-mae.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Type3" not in pdf
    assert b"/Subtype /Image" not in pdf
    svg = (folder / "results-mae.svg").read_text(encoding="utf-8")
    assert "#0072b2" in svg
    assert "#0a000" not in svg
    assert "var(" not in svg


@pytest.mark.parametrize("name", ["metrics.json", "history.csv", "state.json", "predictions.jsonl", "config.yaml"])
def test_missing_file_is_one_message(tiny_run_copy: Path, name: str, mtl: Mtl) -> None:
    (tiny_run_copy / name).unlink()
    before = (tiny_run_copy / "report.html").read_bytes()
    result = mtl("report", tiny_run_copy)
    assert result.returncode == 2
    assert name in result.stderr
    assert result.stderr.count("\n") == 1
    assert (tiny_run_copy / "report.html").read_bytes() == before


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
def test_damaged_file_is_one_message(tiny_run_copy: Path, name: str, content: str, mtl: Mtl) -> None:
    (tiny_run_copy / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    result = mtl("report", tiny_run_copy)
    assert result.returncode == 2
    assert f"{tiny_run_copy / name}" in result.stderr
    assert "damaged" in result.stderr
    assert result.stderr.count("\n") == 1


def test_folder_without_run_is_rejected(tmp_path: Path, mtl: Mtl) -> None:
    result = mtl("report", tmp_path)
    assert (result.returncode, result.stderr) == (
        2,
        f"error: {tmp_path}: neither a run directory (it contains no config.yaml) nor a comparison (it contains no "
        "comparison.json)\n",
    )
    assert mtl("report", tmp_path / "absent").stderr == f"error: {tmp_path / 'absent'}: no such run directory\n"


def test_failed_report_does_not_affect_the_run(tiny_run_copy: Path, mtl: Mtl) -> None:
    metrics = _load_metrics(tiny_run_copy)
    (tiny_run_copy / "metrics.json").unlink()
    (tiny_run_copy / "report.html").unlink()
    (tiny_run_copy / "report.html").mkdir()
    result = mtl("resume", tiny_run_copy)
    assert result.returncode == 2
    assert "the report could not be written" in result.stderr
    assert f"the run itself is complete; `mtl report {tiny_run_copy}` retries it" in result.stderr
    assert _load_metrics(tiny_run_copy)["splits"] == metrics["splits"]
    (tiny_run_copy / "report.html").rmdir()
    assert mtl("report", tiny_run_copy).returncode == 0


def test_files_of_older_runs_are_sufficient(tiny_run_copy: Path, mtl: Mtl) -> None:
    """Write a report without mistakes, interactions and the newer keys of metrics.json."""
    (tiny_run_copy / "mistakes.jsonl").unlink()
    (tiny_run_copy / "interactions.json").unlink()
    _change_json(
        tiny_run_copy, lambda metrics: [metrics.pop("lower_is_better"), metrics["timing"].pop("peak_memory_mb")]
    )
    assert mtl("report", tiny_run_copy).returncode == 0
    assert not Page(tiny_run_copy / "report.html").ids & {"mistakes", "interactions"}
