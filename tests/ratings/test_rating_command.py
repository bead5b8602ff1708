"""`mtl absa rate`: from a file of reviews and a run to tables, pages and images."""

import csv
import json
import os
import re
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from pyarrow import parquet

from mtl_core.errors import MtlError
from mtl_core.runs.saved_run import SavedRun, load_run
from mtl_ratings.aspects import find_aspects
from mtl_ratings.pipeline import rate_reviews
from mtl_ratings.reviews import Review
from mtl_ratings.settings import Settings

pytestmark = pytest.mark.usefixtures("shared_pipelines")

Mtl = Callable[..., CompletedProcess[str]]
FORMATS = ("html", "csv", "json", "parquet", "png", "svg", "pdf")
ASPECTS = ["food", "price", "service"]


@pytest.fixture(scope="module")
def run(mentions_run: Path) -> Path:
    """A run that supports ratings."""
    return mentions_run


@pytest.fixture(scope="module")
def saved_run(run: Path) -> SavedRun:
    """The loaded run."""
    return load_run(run)


def _write_reviews(path: Path, rows: int = 40) -> Path:
    """Write reviews of two shops: positive about everything in A, negative about everything in B."""
    things, words = ("soup", "waiter", "bill"), {"A": ("lovely", "splendid"), "B": ("grim", "dreadful")}
    lines = ["shop,when,review"]
    for row in range(rows):
        shop = "AB"[row % 2]
        word = words[shop][row // 2 % 2]
        text = f"The {things[row % 3]} was {word}. The {things[(row + 1) % 3]} was {word}."
        lines.append(f"{shop},2025-{1 + row % 12:02}-15,{text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def review_file(tmp_path: Path) -> Path:
    """A file of 40 reviews."""
    return _write_reviews(tmp_path / "reviews.csv")


def test_command_writes_every_format_deterministically(review_file: Path, run: Path, tmp_path: Path, mtl: Mtl) -> None:
    bytes_of = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        paths = [tmp_path / name / f"ratings.{extension}" for extension in FORMATS]
        words = [word for out in paths for word in ("--out", out)]
        result = mtl(
            "absa",
            "rate",
            review_file,
            "--run",
            run,
            "--text",
            "review",
            "--by",
            "shop",
            "--date",
            "when",
            *words,
        )
        assert result.returncode == 0, result.stderr
        assert "ratings from 1 to 5" in result.stdout
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == sorted(out.name for out in paths)
        bytes_of.append([out.read_bytes() for out in paths])
    assert bytes_of[0] == bytes_of[1]

    with (tmp_path / "first" / "ratings.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["product"], row["aspect"]) for row in rows] == [(shop, name) for shop in "AB" for name in ASPECTS]
    table = parquet.read_table(tmp_path / "first" / "ratings.parquet").to_pylist()
    record = json.loads((tmp_path / "first" / "ratings.json").read_text(encoding="utf-8"))
    for row, typed in zip(rows, table, strict=True):
        json_row = next(one for one in record["products"] if one["product"] == row["product"])["aspects"][row["aspect"]]
        assert float(row["rating"]) == typed["rating"] == json_row["rating"]
        assert int(row["mentions"]) == typed["mentions"] == json_row["mentions"] <= 20
        assert row["change_is_clear"] == {True: "yes", False: "no"}[typed["change_is_clear"]]
    stars = {row["product"]: float(row["rating"]) for row in rows if row["aspect"] == "food"}
    assert stars["A"] > 3.5 > 2.5 > stars["B"]
    assert record["reviews"] == 40
    assert record["earlier"][0] == "2025-01"


def test_page_is_self_contained_and_escapes_html(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    reviews = tmp_path / "reviews.jsonl"
    hostile = "The soup <script>alert(1)</script> was lovely & &lt;img src=x onerror=alert(1)&gt; grim."
    rows = [{"shop": "<b>A</b>", "review": hostile}] * 3 + [{"shop": "=cmd()", "review": "=The soup was lovely."}] * 6
    reviews.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    result = mtl(
        *("absa", "rate", reviews, "--run", run, "--text", "review", "--by", "shop"),
        "--out",
        page,
        "--out",
        table,
    )
    assert result.returncode == 0, result.stderr
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|link|iframe)\b|\b(src|href)=[\"'](?!#)", text)
    assert "&lt;b&gt;A&lt;/b&gt;" in text
    assert "insufficient evidence" in text
    for section in ("In short", "Ratings", "How ratings are made"):
        assert f">{section}</h2>" in text
    with table.open(encoding="utf-8", newline="") as lines:
        cells = [cell for row in csv.reader(lines) for cell in row]
    assert "'=cmd()" in cells
    assert not any(cell.startswith(("=", "@", "\t")) for cell in cells)


def test_without_by_and_out_one_rating_is_printed(review_file: Path, run: Path, tmp_path: Path, mtl: Mtl) -> None:
    result = mtl("absa", "rate", review_file, "--run", run, "--text", "review")
    assert result.returncode == 0
    assert "all reviews" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == [review_file.name]


def test_run_without_absent_label_is_rejected(review_file: Path, trained_run: Path, mtl: Mtl) -> None:
    result = mtl("absa", "rate", review_file, "--run", trained_run, "--text", "review")
    assert result.returncode == 2
    assert "food cannot predict that a sentence does not mention it" in result.stderr
    assert "absa-minilm and absa-distilled" in result.stderr


def test_tasks_without_polarities_are_rejected(saved_run: SavedRun) -> None:
    from dataclasses import replace

    assert find_aspects(saved_run).names == ASPECTS
    task = saved_run.main_tasks[0]

    def with_classes(*classes: str) -> SavedRun:
        space: Any = type("Space", (), {"classes": (*classes, "absent")})()
        return replace(saved_run, groups=[replace(saved_run.groups[0], tasks=[replace(task, space=space)])])

    with pytest.raises(MtlError, match="food has no class negative"):
        find_aspects(with_classes("positive", "neutral"))
    with pytest.raises(MtlError, match="not polarities: superb"):
        find_aspects(with_classes("positive", "negative", "superb"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--text", "reviw"],
            "reviews.csv:1: there is no column 'reviw'; did you mean 'review'?",
        ),
        (["--text", "review", "--by", "store"], "there is no column 'store'"),
        (
            ["--text", "review", "--date", "shop"],
            "reviews.csv:2: column 'shop': expected a date such as",
        ),
        (
            ["--text", "review", "--out", "r.htm"],
            "the file extension '.htm' is not supported for ratings; did you mean '.html'?",
        ),
        (["--text", "review", "--out", "r"], "a missing file extension is not supported for ratings"),
        (["--text", "review", "--out", "nowhere/r.csv"], "the folder nowhere does not exist"),
        (["--text", "review", "--out", "r.csv", "--out", "r.csv"], "is named twice"),
        (["--text", "review", "--delimiter", ";;"], "--delimiter ';;': expected one character"),
        (["--text", "review", "--data-set", "x"], "this run has one data set, which has no name"),
    ],
)
def test_invalid_options_are_reported_before_rating(
    words: list[str],
    message: str,
    review_file: Path,
    run: Path,
    tmp_path: Path,
    mtl: Mtl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = mtl("absa", "rate", review_file, "--run", run, *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [review_file.name]


def test_invalid_row_is_an_error_or_is_skipped(review_file: Path, run: Path, tmp_path: Path, mtl: Mtl) -> None:
    lines = review_file.read_text(encoding="utf-8").splitlines()
    lines[20] += ",more"
    review_file.write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "r.json"
    result = mtl("absa", "rate", review_file, "--run", run, "--text", "review", "--by", "shop", "--out", out)
    assert result.returncode == 2
    assert f"{review_file}:21: 4 cells, expected 3" in result.stderr
    assert "--bad-rows skip" in result.stderr
    assert not out.exists()
    words = ("--text", "review", "--by", "shop", "--out", out, "--bad-rows", "skip")
    result = mtl("absa", "rate", review_file, "--run", run, *words)
    assert result.returncode == 0
    assert f"{review_file}:21: 4 cells, expected 3" in result.stdout
    record = json.loads(out.read_text(encoding="utf-8"))
    assert (record["reviews"], record["bad_rows"]) == (39, 1)


def test_all_kinds_of_reviews_are_read(saved_run: SavedRun) -> None:
    texts = [
        "",
        " ",
        "😍😍",
        "x",
        "The soup was lovely. " * 5_000,
        "soup" * 10_000,
        "Суп 非常に good שלום",
        "<p></p>",
    ]
    ratings = rate_reviews([Review(text) for text in texts], saved_run, Settings(min_mentions=1))
    assert ratings.reviews == len(texts)
    assert 1 <= ratings.ratings["all reviews", "food"].mentions <= 4


def test_killed_job_resumes_without_loss(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    review_file = _write_reviews(tmp_path / "reviews.csv", 1800)
    words = [
        "absa",
        "rate",
        review_file,
        "--run",
        run,
        "--text",
        "review",
        "--by",
        "shop",
        "--date",
        "when",
        "--out",
    ]
    interrupted_path, complete_path = tmp_path / "cut.json", tmp_path / "whole.json"
    progress = tmp_path / "cut.json.progress"
    process = subprocess.Popen(
        [Path(sysconfig.get_path("scripts")) / "mtl", *map(str, words), interrupted_path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not progress.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the command finished before it was killed"
    assert not interrupted_path.exists()
    n_processed = sum(product[0] for product in json.loads(progress.read_text())["sums"]["products"].values())
    assert 0 < n_processed < 1800

    result = mtl(*words, interrupted_path)
    assert result.returncode == 0
    assert f"resuming after review {n_processed} of 1800" in result.stderr
    assert not progress.exists()
    assert mtl(*words, complete_path).returncode == 0
    assert interrupted_path.read_bytes() == complete_path.read_bytes()


def test_ctrl_c_reports_how_to_resume(
    review_file: Path, run: Path, tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtl_core.runs.iterate_predictions", raise_interrupt)  # simulates Ctrl-C at a known point
    result = mtl("absa", "rate", review_file, "--run", run, "--text", "review", "--out", tmp_path / "r.csv")
    assert result.returncode == 130
    assert "interrupted; the same command resumes the job" in result.stderr
    assert not (tmp_path / "r.csv").exists()


def test_help_lists_the_commands_of_plugins(mtl: Mtl) -> None:
    assert re.search(r"absa\s+Aspect-based sentiment analysis", mtl("--help").stdout)
    assert "--min-mentions" in mtl("absa", "rate", "--help").stdout
