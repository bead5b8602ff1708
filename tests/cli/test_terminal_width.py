"""Output in a terminal of 80 columns: tables stay readable, and the progress display explains its marks."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from rich.console import Console

from mtl_core.artifacts.comparison import Comparison, Difference, Estimate, Kind, MeasuredTask, VariantSummary
from mtl_core.artifacts.history import EpochRecord
from mtl_core.cli.compare_tables import build_costs_table, build_score_tables
from mtl_core.cli.interactions import _build_square_table
from mtl_core.cli.score_table import print_mixed_scores, print_scores
from mtl_core.evaluation.scores import MetricValue, Scores, TaskScore
from mtl_core.progress.training import ProgressCallback

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
NAMES = [f"task-{number}-with-a-rather-long-name-of-{'x' * number}" for number in range(12)]
METRICS = ["accuracy", "macro_f1", "two_way", "detection_precision", "detection_recall", "detection_f1", "joint_f1"]


def build_score(*metrics: str, value: float = 0.1234) -> TaskScore:
    pooled = {"accuracy"}
    return TaskScore(
        40,
        {name: MetricValue(value + index / 100, 40, 0.5, pooled=name in pooled) for index, name in enumerate(metrics)},
    )


def render(print_table: Callable[[Console], None], width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    print_table(console)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    return text


def test_columns_that_do_not_fit_are_printed_as_a_second_table() -> None:
    scores = Scores({name: build_score(*METRICS) for name in NAMES}, build_score(*METRICS, value=0.2))
    text = render(lambda console: print_scores(console, scores, "wide: test"))
    assert [line.rstrip() for line in text.splitlines() if line.startswith("wide: test")] == [
        "wide: test",
        "wide: test, continued",
    ]
    for index in range(len(METRICS)):
        assert text.count(f"{0.1234 + index / 100:.4f}") == len(NAMES), "every value is printed once, and complete"
        assert text.count(f"{0.2 + index / 100:.4f}") == 1
    assert text.count(NAMES[11][:26]) == text.count(NAMES[11][26:]) == 2, "long names continue on the next line"
    assert "wide: test, continued" not in render(lambda console: print_scores(console, scores, "wide: test"), 200)


def test_narrow_scores_are_one_table() -> None:
    scores = Scores({"food": build_score("accuracy", "macro_f1")}, build_score("accuracy"))
    text = render(lambda console: print_scores(console, scores, "narrow"))
    assert text.splitlines()[2].split() == ["task", "labels", "majority", "accuracy", "macro", "f1"]
    assert text.splitlines()[4].split() == ["food", "40", "0.5000", "0.1234", "0.1334"]


def test_further_metrics_have_a_column_or_one_row_each() -> None:
    tasks = {NAMES[11]: build_score("mae", "rmse", "r2"), "topic": build_score("accuracy", "quadratic_kappa")}
    narrow = render(lambda console: print_mixed_scores(console, tasks, "mixed"), 60)
    assert re.search(r"^ +rmse +0\.5000 +0\.1334 *$", narrow, re.MULTILINE)
    wide = render(lambda console: print_mixed_scores(console, tasks, "mixed"), 120)
    assert re.search(r"0\.1234 +rmse 0\.1334, r2 0\.1434", wide)


@pytest.mark.parametrize("kinds", [["classification"], ["classification", "regression"]])
def test_run_with_twelve_tasks_in_80_columns(
    kinds: list[str], tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [f"column-{number}-of-the-table" for number in range(12)]
    rows = [",".join(["x", "y", *columns])]
    rows += [",".join(map(str, [row, row % 7, *((row + shift) % 3 for shift in range(12))])) for row in range(60)]
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    metrics: list[Any] = ["accuracy", "macro-f1", "confusion"]
    metrics += [{"type": "restricted-accuracy", "name": f"restricted_{n}", "classes": ["0", n]} for n in "12"]
    kind_blocks = {"classification": {"type": "classification", "metrics": metrics}, "regression": "regression"}
    value = {
        "data": {"type": "table", "train": "table.csv", "numbers": ["x", "y"]},
        "encoder": "array",
        "backbone": "identity",
        "split": {"type": "random", "validation": 0.25},
        "tasks": [
            {"name": name, "head": "linear", "kind": kind_blocks[kinds[index % len(kinds)]]}
            for index, name in enumerate(columns)
        ],
        "training": {"epochs": 1},
    }
    (tmp_path / "twelve.yaml").write_text(yaml.safe_dump(value))
    monkeypatch.setenv("COLUMNS", "80")
    result = mtl("run", tmp_path / "twelve.yaml", "--out", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert "…" not in result.stdout
    table = result.stdout.partition("twelve: validation")[2].partition("best epoch")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert all(table.count(name) >= 1 for name in columns)
    assert len(re.findall(r"\d\.\d{4}\b", table)) >= 12 * 5


def test_legend_of_the_star_is_printed_only_with_validation_data() -> None:
    output = io.StringIO()
    callback = ProgressCallback(Console(file=output, width=80))
    callback.on_stage_start("training")
    for epoch, best in ((1, True), (2, False)):
        callback.on_epoch_end(EpochRecord(epoch, 0.01, {"food": 1.0}, {"food.accuracy": 0.5}, 0.5), best=best)
    callback.on_stage_start("refitting on all training data, 1 epochs")
    callback.on_epoch_end(EpochRecord(1, 0.01, {"food": 1.0}), best=False)
    assert output.getvalue().splitlines() == [
        "training",
        "  (* is the best epoch so far)",
        "  epoch 1: loss 1.000 | validation 0.5000* | food .50",
        "  epoch 2: loss 1.000 | validation 0.5000  | food .50",
        "refitting on all training data, 1 epochs",
        "  epoch 1: loss 1.000",
    ]


def test_epochs_of_many_tasks_have_the_mean() -> None:
    output = io.StringIO()
    callback = ProgressCallback(Console(file=output, width=80))
    validation = {"mean.roc_auc": 0.62, "mean.log_loss": 0.5, "selection.score": 0.61}
    callback.on_epoch_end(EpochRecord(1, 0.01, {"t0": 1.0}, validation, 0.61), best=True)
    assert output.getvalue().splitlines()[-1] == "  epoch 1: loss 1.000 | validation 0.6100* | mean .62"


def test_columns_of_a_square_table_have_numbers_if_names_do_not_fit() -> None:
    cells: Any = [[None if row == column else 0.125 for column in range(10)] for row in range(10)]
    names = NAMES[:10]

    def format_value(value: float) -> str:
        return f"{value:+.2f}"

    narrow = render(lambda console: console.print(_build_square_table(console, names, cells, format_value)))
    assert narrow.splitlines()[1].split() == [str(number) for number in range(1, 11)]
    assert narrow.count("+0.12") == 90
    assert re.search(r"^ 10 ", narrow, re.MULTILINE)
    wide = render(
        lambda console: console.print(
            _build_square_table(console, list("abc"), [row[:3] for row in cells[:3]], format_value)
        )
    )
    assert wide.splitlines()[1].split() == ["a", "b", "c"]


def test_long_variant_names_do_not_cut_the_numbers_of_a_comparison() -> None:
    name = "optimizer={type: adamw, lr: 0.01, weight_decay: 0.001, betas: [0.9, 0.98]}"
    estimate = Estimate(0.8123, 0.7512, 0.8634, [0.8123])
    difference = Difference(0.0123, 0.0012, 0.0234, [0.0123], 9, 0.01, 0.03, "tasks", "improved")
    rows: list[tuple[str, Kind, Any]] = [
        ("single-task", "single-task", None),
        (name, "variant", {"food": difference}),
    ]
    variants = [
        VariantSummary(variant, kind, [], {"food": estimate}, None, None, against, None, 212_486, 12.3, 0.123, [])
        for variant, kind, against in rows
    ]
    tasks = {"food": MeasuredTask("accuracy", True, 150, 0.01)}
    comparison = Comparison("wide", [1, 2], None, "test", 150, 0.95, "single-task", tasks, variants, {})
    for table in (*build_score_tables(comparison), build_costs_table(comparison)):
        text = render(lambda console, table=table: console.print(table))  # type: ignore[misc]
        assert "0.8123" in text or "212,486" in text
