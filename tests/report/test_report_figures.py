"""The formulas of reports with worked examples, and drawings without side effects."""

import json
import re
from pathlib import Path

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_pages import Page

from mtl_core.errors import MtlError
from mtl_core.report.calibration import Calibration, read_calibrations
from mtl_core.report.figures.bars import Bar, draw_bars
from mtl_core.report.figures.canvas import Drawing, drawing, write_files
from mtl_core.report.figures.page_svg import page_svg
from mtl_core.report.figures.palette import PAGE, PAPER
from mtl_core.report.figures_of import task_figures
from mtl_core.report.intervals import wilson
from mtl_core.report.page import written
from mtl_core.report.run.mistakes import shaded
from mtl_core.report.wording import enumerated, seconds, shortened, slug


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_wilson_by_hand(correct: int, n: int, low: float, high: float) -> None:
    """(p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96."""
    assert wilson(correct, n) == pytest.approx((low, high), abs=5e-5)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_wilson_holds_the_share_and_narrows(n: int, share: float) -> None:
    correct = round(share * n)
    low, high = wilson(correct, n)
    assert 0 <= low <= correct / n + 1e-12
    assert correct / n - 1e-12 <= high <= 1
    nearer = wilson(4 * correct, 4 * n)
    assert nearer[1] - nearer[0] < high - low
    assert wilson(n - correct, n) == pytest.approx((1 - high, 1 - low))


def test_calibration_by_hand() -> None:
    """Bin from 0.9: 0.95 and 0.97, one correct, gap 0.46; 0.55 is correct, gap 0.45; 0.15 is wrong, gap 0.15."""
    found = Calibration()
    for confidence, right in ((0.95, True), (0.97, False), (0.55, True), (0.15, False)):
        found.add(confidence, right)
    assert found.error == pytest.approx((2 * 0.46 + 0.45 + 0.15) / 4)
    assert found.confidence == pytest.approx((0.95 + 0.97 + 0.55 + 0.15) / 4)
    assert found.accuracy == 0.5
    assert [one.n for one in found.bins] == [0, 1, 0, 0, 0, 1, 0, 0, 0, 2]


def test_borders_of_bins_belong_to_the_upper_one_and_one_to_the_last() -> None:
    found = Calibration()
    for confidence in (0.0, 0.1, 0.5, 1.0):
        found.add(confidence, True)
    assert [one.n for one in found.bins] == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert Calibration().error is None


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@settings(max_examples=50)
@given(first=answers, second=answers)
def test_calibration_is_a_mean_over_answers(
    first: list[tuple[float, bool]], second: list[tuple[float, bool]]
) -> None:
    one, two, all_of_them = Calibration(), Calibration(), Calibration()
    for place, (confidence, right) in enumerate(first + second):
        (one if place < len(first) else two).add(confidence, right)
        all_of_them.add(confidence, right)
    one.merge(two)
    assert one.n == all_of_them.n == len(first + second)
    assert one.error == pytest.approx(all_of_them.error)
    assert one.error is not None
    assert one.confidence is not None
    assert one.accuracy is not None
    assert abs(one.confidence - one.accuracy) - 1e-9 <= one.error <= 1


def test_only_classes_with_a_probability_are_calibrated(tmp_path: Path) -> None:
    tasks = {
        "kind": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}, "gold": "a"},
        "masked": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}, "gold": "absent"},
        "unlabelled": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}},
        "several": {"label": ["a"], "probabilities": {"a": 0.8, "b": 0.2}, "gold": ["a"]},
        "number": {"label": 1.5, "probabilities": {}, "gold": 2},
        "words": {"label": ["a", "b"], "probabilities": {}, "confidence": [0.9, 0.4], "gold": ["a", None]},
        "auxiliary": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}, "gold": "a"},
    }
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"id": "1", "tasks": tasks}) + "\n", encoding="utf-8")
    classes = {name: ["a", "b"] for name in tasks} | {"number": []}
    found = read_calibrations(path, classes, [name for name in tasks if name != "auxiliary"])
    assert {name: (one.n, one.confidence, one.accuracy) for name, one in found.tasks.items()} == {
        "kind": (1, 0.8, 1.0),
        "words": (1, 0.9, 1.0),
    }
    assert found.pooled.n == 2


def test_calibration_of_a_run_is_that_of_its_predictions(every_kind_run: Path) -> None:
    lines = (every_kind_run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line)["tasks"]["stars"] for line in lines]
    entries = [entry for entry in entries if "gold" in entry]
    table = Page(every_kind_run / "report.html").tables("calibration")["Confidence and accuracy"]
    row = table.row("stars")
    mean = sum(entry["probabilities"][entry["label"]] for entry in entries) / len(entries)
    right = sum(entry["label"] == entry["gold"] for entry in entries) / len(entries)
    assert (row["predictions"], row["mean confidence"], row["accuracy"]) == (
        str(len(entries)), f"{100 * mean:.1f} %", f"{100 * right:.1f} %",
    )  # fmt: skip
    assert row["overconfidence"] == f"{mean - right:+.4f}".replace("-", "\N{MINUS SIGN}")
    assert [row[0] for row in table.rows] == ["place", "recommended", "stars", "pos", "all tasks"]


def test_a_probability_above_one_is_damage(tmp_path: Path) -> None:
    entry = {"label": "a", "probabilities": {"a": 1.5}, "gold": "a"}
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"tasks": {"kind": entry}}), encoding="utf-8")
    with pytest.raises(MtlError, match=r"a probability of 1\.5"):
        read_calibrations(path, {"kind": ["a"]}, ["kind"])


def test_shares_have_intervals_and_nothing_else_has() -> None:
    entry = {
        "n": 10, "correct": 8, "accuracy": 0.8, "majority_accuracy": 0.5,
        "accuracy_2way": 0.5, "majority_accuracy_2way": None, "accuracy_2way_n": 4,
        "mae": 0.8, "baseline_mae": 1.6, "confusion": [[8, 0], [2, 0]],
    }  # fmt: skip
    found = task_figures("t", entry, ["mae"])
    assert [one.name for one in found.measured] == ["accuracy", "accuracy_2way", "mae"]
    accuracy, two_way, mae = found.measured
    assert accuracy.interval == wilson(8, 10)
    assert two_way.interval == wilson(2, 4)
    assert (mae.interval, mae.better, mae.gain) == (None, True, 0.5)
    assert accuracy.gain == pytest.approx(0.6)
    assert (two_way.better, two_way.gain) == (None, None)


def _bars(name: str, *labels: str) -> Drawing:
    return draw_bars(
        name, [Bar(label, 0.66667, "0.66667", 0.5, 0.4, 0.9) for label in labels], "share", True, "majority", PAGE
    )


def test_drawing_leaves_no_trace(tmp_path: Path) -> None:
    matplotlib.rcParams["font.size"] = 17.0
    before = dict(matplotlib.rcParams)
    try:
        with drawing(PAPER):
            files = write_files(_bars("one", "a"), tmp_path)
        assert dict(matplotlib.rcParams) == before
    finally:
        matplotlib.rcdefaults()
    assert {path.name for path in files} == {"one.pdf", "one.svg"}


def test_what_is_written_in_a_drawing_stays(tmp_path: Path) -> None:
    label = '$x_1$ <&"#0a0001 id="x" 1.23456'
    with drawing(PAGE):
        svg = page_svg(_bars("one", label))
    assert '>$x_1$ &lt;&amp;"#0a0001 id="x" 1…<' in svg or "$x_1$ &lt;&amp;" in svg
    assert ">0.66667<" in svg
    assert "#0a0001" in re.sub(r"<[^>]*>", "", svg)
    assert "#0a" not in "".join(re.findall(r"<[^>]*>", svg.split(">", 1)[1]))


def test_letters_that_the_font_lacks_can_be_drawn(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    with drawing(PAPER):
        files = write_files(_bars("one", "漢字 \u202e $x_1$"), tmp_path)
    assert [path.stat().st_size > 1000 for path in files] == [True, True]
    assert not list(recwarn)


def test_names_within_drawings_differ_and_colours_are_the_page_s() -> None:
    with drawing(PAGE):
        one, two, again = page_svg(_bars("one", "a")), page_svg(_bars("two", "a")), page_svg(_bars("one", "a"))
    assert one == again
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg in (one, two):
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert used <= set(re.findall(r' id="([^"]+)"', svg))
        assert "var(--series-1)" in svg
        assert "font-family" not in svg
        assert "xmlns" not in svg


def test_a_text_is_cut_into_its_tokens() -> None:
    pieces = list(shaded("Soup's fine.", ["Soup", "'s", "fine", "."], [0.7, 0.1, 0.1, 0.1]))
    assert "".join(piece.text for piece in pieces) == "Soup's fine."
    assert [(piece.text, piece.heat) for piece in pieces if piece.heat] == [
        ("Soup", pytest.approx(0.7 * 4 / 3)),
        ("'s", pytest.approx(0.4 / 3)),
        ("fine", pytest.approx(0.4 / 3)),
        (".", pytest.approx(0.4 / 3)),
    ]
    changed = list(shaded("Soup", ["soup", "."], [0.95, 0.05]))
    assert "".join(piece.text for piece in changed).split() == ["soup", "."]
    assert max(piece.heat for piece in changed) <= 1


def test_words() -> None:
    assert enumerated(["a"]) == "a"
    assert enumerated(["a", "b", "c"]) == "a, b and c"
    assert enumerated(list("abcd"), 2) == "a, b and 2 more"
    assert [seconds(value) for value in (0.123, 7.66, 59.6, 119.7)] == ["0.12 s", "7.7 s", "1 min 0 s", "2 min 0 s"]
    assert shortened("a\nb\u202e") == "a b "
    assert slug("Anecdotes/Miscellaneous!") == "anecdotes-miscellaneous"
    assert str(written("<b> 71.2 %, 5 % & x % `<i>` `")) == (
        '&lt;b&gt; <span class="nb">71.2 %</span>, <span class="nb">5 %</span> &amp; x % <code>&lt;i&gt;</code> `'
    )


def test_templates_are_packaged() -> None:
    """The package data of `pyproject.toml` covers the template files in package folders."""
    import mtl_core.report.templates as templates

    folder = Path(templates.__file__).parent
    assert {path.suffix for path in folder.iterdir() if path.name != "__pycache__"} == {".py", ".tmpl"}
    project = (folder.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'"\*" = \[.*"\*\.tmpl"', project)
