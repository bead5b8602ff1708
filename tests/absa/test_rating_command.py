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

from absa_plugin.rating.aspects import aspects_of
from absa_plugin.rating.rate import rate_reviews
from absa_plugin.rating.reviews import Review
from absa_plugin.rating.settings import Settings
from mtl_core.errors import MtlError
from mtl_core.runs.saved import SavedRun, load_run

Mtl = Callable[..., CompletedProcess[str]]
FORMATS = ("html", "csv", "json", "parquet", "png", "svg", "pdf")
ASPECTS = ["food", "price", "service"]


@pytest.fixture(scope="module")
def run(mentions_run: Path) -> Path:
    """A run that supports ratings."""
    return mentions_run


@pytest.fixture(scope="module")
def saved(run: Path) -> SavedRun:
    """The loaded run."""
    return load_run(run)


def _write(path: Path, rows: int = 40) -> Path:
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
def file(tmp_path: Path) -> Path:
    """A file of 40 reviews."""
    return _write(tmp_path / "reviews.csv")


def test_one_command_writes_every_format_the_same_each_time(
    file: Path, run: Path, tmp_path: Path, mtl: Mtl
) -> None:
    bytes_of = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        outs = [tmp_path / name / f"ratings.{ending}" for ending in FORMATS]
        words = [word for out in outs for word in ("--out", out)]
        done = mtl(
            "absa",
            "rate",
            file,
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
        assert done.returncode == 0, done.stderr
        assert "ratings from 1 to 5" in done.stdout
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == sorted(out.name for out in outs)
        bytes_of.append([out.read_bytes() for out in outs])
    assert bytes_of[0] == bytes_of[1]

    with (tmp_path / "first" / "ratings.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["product"], row["aspect"]) for row in rows] == [(shop, name) for shop in "AB" for name in ASPECTS]
    table = parquet.read_table(tmp_path / "first" / "ratings.parquet").to_pylist()
    record = json.loads((tmp_path / "first" / "ratings.json").read_text(encoding="utf-8"))
    for row, typed in zip(rows, table, strict=True):
        told = next(one for one in record["products"] if one["product"] == row["product"])["aspects"][row["aspect"]]
        assert float(row["rating"]) == typed["rating"] == told["rating"]
        assert int(row["mentions"]) == typed["mentions"] == told["mentions"] <= 20
        assert row["change_is_clear"] == {True: "yes", False: "no"}[typed["change_is_clear"]]
    stars = {row["product"]: float(row["rating"]) for row in rows if row["aspect"] == "food"}
    assert stars["A"] > 3.5 > 2.5 > stars["B"]
    assert record["reviews"] == 40
    assert record["earlier"][0] == "2025-01"


def test_the_page_stands_alone_and_is_safe(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    reviews = tmp_path / "reviews.jsonl"
    hostile = "The soup <script>alert(1)</script> was lovely & &lt;img src=x onerror=alert(1)&gt; grim."
    rows = [{"shop": "<b>A</b>", "review": hostile}] * 3 + [
        {"shop": "=cmd()", "review": "=The soup was lovely."}
    ] * 6
    reviews.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    done = mtl(
        *("absa", "rate", reviews, "--run", run, "--text", "review", "--by", "shop"),
        "--out",
        page,
        "--out",
        table,
    )
    assert done.returncode == 0, done.stderr
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


def test_without_by_and_out_there_is_one_rating_in_the_terminal(
    file: Path, run: Path, tmp_path: Path, mtl: Mtl
) -> None:
    done = mtl("absa", "rate", file, "--run", run, "--text", "review")
    assert done.returncode == 0
    assert "all reviews" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_run_that_cannot_say_not_mentioned_is_refused(file: Path, trained_run: Path, mtl: Mtl) -> None:
    done = mtl("absa", "rate", file, "--run", trained_run, "--text", "review")
    assert done.returncode == 2
    assert "food cannot predict that a sentence does not mention it" in done.stderr
    assert "absa-minilm and absa-distilled" in done.stderr


def test_tasks_without_polarities_are_no_aspects(saved: SavedRun) -> None:
    from dataclasses import replace

    assert aspects_of(saved).names == ASPECTS
    task = saved.main_tasks[0]

    def with_classes(*classes: str) -> SavedRun:
        space: Any = type("Space", (), {"classes": (*classes, "absent")})()
        return replace(saved, groups=[replace(saved.groups[0], tasks=[replace(task, space=space)])])

    with pytest.raises(MtlError, match="food has no class negative"):
        aspects_of(with_classes("positive", "neutral"))
    with pytest.raises(MtlError, match="not polarities: superb"):
        aspects_of(with_classes("positive", "negative", "superb"))


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
            "'.htm' is no format of ratings; did you mean '.html'?",
        ),
        (["--text", "review", "--out", "r"], "no ending is no format of ratings"),
        (["--text", "review", "--out", "nowhere/r.csv"], "the folder nowhere does not exist"),
        (["--text", "review", "--out", "r.csv", "--out", "r.csv"], "is named twice"),
        (["--text", "review", "--delimiter", ";;"], "--delimiter ';;': expected one character"),
        (["--text", "review", "--data-set", "x"], "this run has one data set, which has no name"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(
    words: list[str],
    message: str,
    file: Path,
    run: Path,
    tmp_path: Path,
    mtl: Mtl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = mtl("absa", "rate", file, "--run", run, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_broken_row_stops_everything_or_is_counted(file: Path, run: Path, tmp_path: Path, mtl: Mtl) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[20] += ",more"
    file.write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "r.json"
    done = mtl("absa", "rate", file, "--run", run, "--text", "review", "--by", "shop", "--out", out)
    assert done.returncode == 2
    assert f"{file}:21: 4 cells, expected 3" in done.stderr
    assert "--bad-rows skip" in done.stderr
    assert not out.exists()
    words = ("--text", "review", "--by", "shop", "--out", out, "--bad-rows", "skip")
    done = mtl("absa", "rate", file, "--run", run, *words)
    assert done.returncode == 0
    assert f"{file}:21: 4 cells, expected 3" in done.stdout
    record = json.loads(out.read_text(encoding="utf-8"))
    assert (record["reviews"], record["bad_rows"]) == (39, 1)


def test_all_kinds_of_reviews_are_read(saved: SavedRun) -> None:
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
    found = rate_reviews([Review(text) for text in texts], saved, Settings(min_mentions=1))
    assert found.reviews == len(texts)
    assert 1 <= found.ratings["all reviews", "food"].mentions <= 4


def test_killed_in_the_middle_it_goes_on_without_loss(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    file = _write(tmp_path / "reviews.csv", 1800)
    words = [
        "absa",
        "rate",
        file,
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
    cut, whole = tmp_path / "cut.json", tmp_path / "whole.json"
    progress = tmp_path / "cut.json.progress"
    process = subprocess.Popen(
        [Path(sysconfig.get_path("scripts")) / "mtl", *words, cut],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not progress.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the command finished before it was killed"
    assert not cut.exists()
    kept = sum(product[0] for product in json.loads(progress.read_text())["sums"]["products"].values())
    assert 0 < kept < 1800

    done = mtl(*words, cut)
    assert done.returncode == 0
    assert f"resuming after review {kept} of 1800" in done.stderr
    assert not progress.exists()
    assert mtl(*words, whole).returncode == 0
    assert cut.read_bytes() == whole.read_bytes()


def test_ctrl_c_says_how_to_go_on(
    file: Path, run: Path, tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mtl_core.runs.predict as predict

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "answers", interrupted)  # simulates Ctrl-C at a known point
    done = mtl("absa", "rate", file, "--run", run, "--text", "review", "--out", tmp_path / "r.csv")
    assert done.returncode == 130
    assert "interrupted; the same command resumes the job" in done.stderr
    assert not (tmp_path / "r.csv").exists()


def test_help_lists_the_commands_of_plugins(mtl: Mtl) -> None:
    assert re.search(r"absa\s+Aspect-based sentiment analysis", mtl("--help").stdout)
    assert "--min-mentions" in mtl("absa", "rate", "--help").stdout
