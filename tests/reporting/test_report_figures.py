"""The formulas of reports with worked examples, and drawings without side effects."""

import json
import re
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_pages import Page

from mtl_core.errors import MtlError
from mtl_core.reporting.calibration_curve import CalibrationCurve, read_calibration_curves
from mtl_core.reporting.figures.bars import Bar, draw_bars
from mtl_core.reporting.figures.drawing import Drawing, write_drawing
from mtl_core.reporting.figures.inline_svg import render_inline_svg
from mtl_core.reporting.figures.palette import PAGE, PAPER
from mtl_core.reporting.figures.style import plot_style
from mtl_core.reporting.formatting import format_duration, join_with_and, slugify, truncate_label
from mtl_core.reporting.html_page import format_sentence
from mtl_core.reporting.run.mistakes_section import shade_tokens
from mtl_core.reporting.run.summary_section import _find_unresolved
from mtl_core.reporting.task_metrics import MetricValue, parse_task_metrics
from mtl_core.reporting.wilson_interval import compute_wilson_interval, compute_wilson_p_value


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
def test_wilson_worked_examples(correct: int, n: int, low: float, high: float) -> None:
    """(p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96."""
    assert compute_wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


@given(n=st.integers(1, 10_000), proportion=st.floats(0, 1))
def test_wilson_contains_the_proportion_and_narrows(n: int, proportion: float) -> None:
    correct = round(proportion * n)
    low, high = compute_wilson_interval(correct, n)
    assert 0 <= low <= correct / n + 1e-12
    assert correct / n - 1e-12 <= high <= 1
    narrower = compute_wilson_interval(4 * correct, 4 * n)
    assert narrower[1] - narrower[0] < high - low
    assert compute_wilson_interval(n - correct, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("correct", "n"), [(8, 10), (50, 100), (3, 400)])
def test_wilson_test_has_a_p_value_of_5_percent_at_the_ends_of_the_interval(correct: int, n: int) -> None:
    for end in compute_wilson_interval(correct, n):
        assert compute_wilson_p_value(correct / n, n, end) == pytest.approx(0.05)
    assert compute_wilson_p_value(correct / n, n, correct / n) == 1
    assert compute_wilson_p_value(0.5, 10, 0.0) == 0


def test_difference_from_the_baseline_is_corrected_for_the_number_of_tasks() -> None:
    """90 of 100 against 0.83: p = 0.06 alone; 92 of 100: p = 0.017 alone, 0.05 of three, 0.07 of four."""
    metric = MetricValue("accuracy", 0.92, 0.83, 100, is_proportion=True, lower_is_better=False)
    weak = MetricValue("accuracy", 0.90, 0.83, 100, is_proportion=True, lower_is_better=False)
    assert _find_unresolved({"a": metric}, ["a"]) == []
    assert _find_unresolved({"a": weak}, ["a"]) == ["a"]
    assert _find_unresolved({"a": metric, "b": weak, "c": weak, "d": weak}, ["a"]) == ["a"]


def test_calibration_worked_example() -> None:
    """Bin from 0.9: 0.95 and 0.97, one correct, gap 0.46; 0.55 is correct, gap 0.45; 0.15 is wrong, gap 0.15."""
    curve = CalibrationCurve()
    for confidence, is_correct in ((0.95, True), (0.97, False), (0.55, True), (0.15, False)):
        curve.add(confidence, is_correct)
    assert curve.expected_calibration_error == pytest.approx((2 * 0.46 + 0.45 + 0.15) / 4)
    assert curve.mean_confidence == pytest.approx((0.95 + 0.97 + 0.55 + 0.15) / 4)
    assert curve.accuracy == 0.5
    assert [confidence_bin.n for confidence_bin in curve.bins] == [0, 1, 0, 0, 0, 1, 0, 0, 0, 2]


def test_bin_edges_belong_to_the_upper_bin() -> None:
    curve = CalibrationCurve()
    for confidence in (0.0, 0.1, 0.5, 1.0):
        curve.add(confidence, True)
    assert [confidence_bin.n for confidence_bin in curve.bins] == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert CalibrationCurve().expected_calibration_error is None


confidences_and_correctness = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@settings(max_examples=50)
@given(first=confidences_and_correctness, second=confidences_and_correctness)
def test_calibration_is_a_mean_over_predictions(
    first: list[tuple[float, bool]], second: list[tuple[float, bool]]
) -> None:
    first_curve, second_curve, joint_curve = CalibrationCurve(), CalibrationCurve(), CalibrationCurve()
    for index, (confidence, is_correct) in enumerate(first + second):
        (first_curve if index < len(first) else second_curve).add(confidence, is_correct)
        joint_curve.add(confidence, is_correct)
    first_curve.merge(second_curve)
    assert first_curve.n == joint_curve.n == len(first + second)
    assert first_curve.expected_calibration_error == pytest.approx(joint_curve.expected_calibration_error)
    assert first_curve.expected_calibration_error is not None
    assert first_curve.mean_confidence is not None
    assert first_curve.accuracy is not None
    assert abs(first_curve.mean_confidence - first_curve.accuracy) - 1e-9 <= first_curve.expected_calibration_error <= 1


def test_only_tasks_with_class_probabilities_are_calibrated(tmp_path: Path) -> None:
    tasks = {
        "kind": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}, "gold": "a"},
        "masked": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}, "gold": "absent"},
        "unlabelled": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}},
        "several": {"label": ["a"], "probabilities": {"a": 0.8, "b": 0.2}, "gold": ["a"]},
        "number": {"label": 1.5, "probabilities": {}, "gold": 2},
        "summary": {"label": ["a", "b"], "probabilities": {}, "confidence": [0.9, 0.4], "gold": ["a", None]},
        "auxiliary": {"label": "a", "probabilities": {"a": 0.8, "b": 0.2}, "gold": "a"},
    }
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"id": "1", "tasks": tasks}) + "\n", encoding="utf-8")
    classes = {name: ["a", "b"] for name in tasks} | {"number": []}
    calibrations = read_calibration_curves(path, classes, [name for name in tasks if name != "auxiliary"])
    assert {name: (curve.n, curve.mean_confidence, curve.accuracy) for name, curve in calibrations.tasks.items()} == {
        "kind": (1, 0.8, 1.0),
        "summary": (1, 0.9, 1.0),
    }
    assert calibrations.pooled.n == 2


def test_calibration_of_a_run_matches_its_predictions(every_kind_run: Path) -> None:
    lines = (every_kind_run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line)["tasks"]["stars"] for line in lines]
    entries = [entry for entry in entries if "gold" in entry]
    table = Page(every_kind_run / "report.html").tables("calibration")["Confidence and accuracy"]
    row = table.row("stars")
    mean_confidence = sum(entry["probabilities"][entry["label"]] for entry in entries) / len(entries)
    accuracy = sum(entry["label"] == entry["gold"] for entry in entries) / len(entries)
    assert (row["predictions"], row["mean confidence"], row["accuracy"]) == (
        str(len(entries)), f"{100 * mean_confidence:.1f} %", f"{100 * accuracy:.1f} %",
    )  # fmt: skip
    assert row["overconfidence"] == f"{mean_confidence - accuracy:+.4f}".replace("-", "\N{MINUS SIGN}")
    assert [row[0] for row in table.rows] == ["place", "recommended", "stars", "pos", "all tasks"]


def test_probability_above_one_is_an_error(tmp_path: Path) -> None:
    entry = {"label": "a", "probabilities": {"a": 1.5}, "gold": "a"}
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({"tasks": {"kind": entry}}), encoding="utf-8")
    with pytest.raises(MtlError, match=r"a probability of 1\.5"):
        read_calibration_curves(path, {"kind": ["a"]}, ["kind"])


def test_only_proportions_have_intervals() -> None:
    entry = {
        "n": 10, "correct": 8, "accuracy": 0.8, "majority_accuracy": 0.5,
        "accuracy_2way": 0.5, "majority_accuracy_2way": None, "accuracy_2way_n": 4,
        "mae": 0.8, "baseline_mae": 1.6, "confusion": [[8, 0], [2, 0]],
    }  # fmt: skip
    metrics = parse_task_metrics("t", entry, ["mae"])
    assert [metric.name for metric in metrics.metrics] == ["accuracy", "accuracy_2way", "mae"]
    accuracy, two_way, mae = metrics.metrics
    assert accuracy.interval == compute_wilson_interval(8, 10)
    assert two_way.interval == compute_wilson_interval(2, 4)
    assert (mae.interval, mae.is_better_than_baseline, mae.relative_error_reduction) == (None, True, 0.5)
    assert accuracy.relative_error_reduction == pytest.approx(0.6)
    assert (two_way.is_better_than_baseline, two_way.relative_error_reduction) == (None, None)


def _draw_bars(name: str, *labels: str) -> Drawing:
    return draw_bars(
        name, [Bar(label, 0.66667, "0.66667", 0.5, 0.4, 0.9) for label in labels], "share", True, "majority", PAGE
    )


def test_drawing_restores_rc_params(tmp_path: Path) -> None:
    matplotlib.rcParams["font.size"] = 17.0
    before = dict(matplotlib.rcParams)
    try:
        with plot_style(PAPER):
            files = write_drawing(_draw_bars("one", "a"), tmp_path)
        assert dict(matplotlib.rcParams) == before
    finally:
        matplotlib.rcdefaults()
    assert {path.name for path in files} == {"one.pdf", "one.svg"}


def test_text_in_a_drawing_is_escaped(tmp_path: Path) -> None:
    label = '$x_1$ <&"#0a0001 id="x" 1.23456'
    with plot_style(PAGE):
        svg = render_inline_svg(_draw_bars("one", label))
    assert '>$x_1$ &lt;&amp;"#0a0001 id="x" 1…<' in svg or "$x_1$ &lt;&amp;" in svg
    assert ">0.66667<" in svg
    assert "#0a0001" in re.sub(r"<[^>]*>", "", svg)
    assert "#0a" not in "".join(re.findall(r"<[^>]*>", svg.split(">", 1)[1]))


def test_characters_without_glyph_are_rendered(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    with plot_style(PAPER):
        files = write_drawing(_draw_bars("one", "漢字 \u202e $x_1$"), tmp_path)
    assert [path.stat().st_size > 1000 for path in files] == [True, True]
    assert not list(recwarn)


def test_drawings_have_unique_ids_and_colours_of_the_page() -> None:
    with plot_style(PAGE):
        first_svg, second_svg, repeated_svg = (
            render_inline_svg(_draw_bars("one", "a")),
            render_inline_svg(_draw_bars("two", "a")),
            render_inline_svg(_draw_bars("one", "a")),
        )
    assert first_svg == repeated_svg
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (first_svg, second_svg)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg in (first_svg, second_svg):
        used_ids = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert used_ids <= set(re.findall(r' id="([^"]+)"', svg))
        assert "var(--series-1)" in svg
        assert "font-family" not in svg
        assert "xmlns" not in svg


def test_text_is_split_into_its_tokens() -> None:
    segments = list(shade_tokens("Soup's fine.", ["Soup", "'s", "fine", "."], [0.7, 0.1, 0.1, 0.1]))
    assert "".join(segment.text for segment in segments) == "Soup's fine."
    expected: list[Any] = [
        ("Soup", pytest.approx(0.7 * 4 / 3)),
        ("'s", pytest.approx(0.4 / 3)),
        ("fine", pytest.approx(0.4 / 3)),
        (".", pytest.approx(0.4 / 3)),
    ]
    assert [(segment.text, segment.heat) for segment in segments if segment.heat] == expected
    lowercase_segments = list(shade_tokens("Soup", ["soup", "."], [0.95, 0.05]))
    assert "".join(segment.text for segment in lowercase_segments).split() == ["soup", "."]
    assert max(segment.heat for segment in lowercase_segments) <= 1


def test_formatting_of_text() -> None:
    assert join_with_and(["a"]) == "a"
    assert join_with_and(["a", "b", "c"]) == "a, b and c"
    assert join_with_and(list("abcd"), 2) == "a, b and 2 more"
    assert [format_duration(value) for value in (0.123, 7.66, 59.6, 119.7)] == [
        "0.12 s",
        "7.7 s",
        "1 min 0 s",
        "2 min 0 s",
    ]
    assert truncate_label("a\nb\u202e") == "a b "
    assert slugify("Anecdotes/Miscellaneous!") == "anecdotes-miscellaneous"
    assert str(format_sentence("<b> 71.2 %, 5 % & x % `<i>` `")) == (
        '&lt;b&gt; <span class="nb">71.2 %</span>, <span class="nb">5 %</span> &amp; x % <code>&lt;i&gt;</code> `'
    )


def test_templates_are_packaged() -> None:
    """The package data of `pyproject.toml` covers the template files in package folders."""
    import mtl_core.reporting.templates as templates

    folder = Path(templates.__file__).parent
    assert {path.suffix for path in folder.iterdir() if path.name != "__pycache__"} == {".py", ".tmpl"}
    project = (folder.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'"\*" = \[.*"\*\.tmpl"', project)
