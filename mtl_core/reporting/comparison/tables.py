"""The tables of a comparison: metrics, differences, costs."""

from collections.abc import Iterator

from mtl_core.reporting.blocks import Cell, Column, Table
from mtl_core.reporting.comparison.figures import Reference, get_differences, get_estimate, select_compared_variants
from mtl_core.reporting.formatting import (
    MINUS_SIGN,
    NO_VALUE,
    format_count,
    format_duration,
    format_metric,
    format_metric_name,
    format_range,
    format_signed,
)
from mtl_core.reporting.read_comparison import MAJORITY, OVERALL, SINGLE, ComparisonArtifacts, Estimate, Variant

VERDICT_MARKS = {"improved": "▲", "degraded": "▼"}
"""Verdict to the mark after a metric that differs significantly from the reference."""


def build_metrics_table(artifacts: ComparisonArtifacts) -> Table:
    """Build the table of metrics: one row per task, one column per variant."""
    has_shared_metric = len({task.metric for task in artifacts.tasks}) == 1
    columns = [
        Column("task", is_numeric=False),
        Column("labels"),
        *([] if has_shared_metric else [Column("metric", is_numeric=False)]),
    ]
    columns += [Column(one.name) for one in artifacts.variants]
    rows = [
        [
            Cell(task.name),
            Cell(format_count(task.n)),
            *(
                []
                if has_shared_metric
                else [Cell(format_metric_name(task.metric) + ("" if task.higher_is_better else " ↓"))]
            ),
            *(_build_estimate_cell(one, task.name) for one in artifacts.variants),
        ]
        for task in artifacts.tasks
    ]
    blank = [] if has_shared_metric else [Cell("")]
    footer = []
    if any(one.overall for one in artifacts.variants):
        labels = Cell(format_count(sum(task.n for task in artifacts.tasks)))
        footer.append(
            [Cell(OVERALL), labels, *blank, *(_build_estimate_cell(one, OVERALL) for one in artifacts.variants)]
        )
    if any(one.delta_m for one in artifacts.variants):
        footer.append([Cell("Δm"), Cell(""), *blank, *(_build_delta_m_cell(one) for one in artifacts.variants)])
    return Table(
        _build_caption(artifacts),
        columns,
        rows,
        footer,
        list(_build_notes(artifacts, has_shared_metric)),
        stacked=True,
    )


def _build_caption(artifacts: ComparisonArtifacts) -> str:
    metric = format_metric_name(artifacts.tasks[0].metric)
    metric_text = metric if len({task.metric for task in artifacts.tasks}) == 1 else "the metric of each task"
    seed_text = f"mean over {len(artifacts.seeds)} seeds" if len(artifacts.seeds) > 1 else "one seed"
    fold_text = f", {artifacts.folds} folds" if artifacts.folds else ""
    return f"{metric_text[:1].upper()}{metric_text[1:]} on {artifacts.split_name} data, {seed_text}{fold_text}, with {format_level(artifacts)} intervals"


def format_level(artifacts: ComparisonArtifacts) -> str:
    """Format the level of the intervals: `95 %`."""
    return f"{100 * artifacts.confidence_level:g} %"


def _build_notes(artifacts: ComparisonArtifacts, has_shared_metric: bool) -> Iterator[str]:
    if any(one.differences_from_reference for one in artifacts.variants):
        yield (
            f"▲ significantly better, ▼ significantly worse than {artifacts.reference_phrase}: the {format_level(artifacts)} "
            "interval of the difference excludes zero. Unmarked differences are not significant."
        )
    if any(one.delta_m for one in artifacts.variants):
        yield "Δm: the mean over tasks of the relative gain over " + artifacts.reference_phrase + "."
    if not all(task.higher_is_better for task in artifacts.tasks):
        yield "↓ Smaller is better." if not has_shared_metric else "Smaller is better."


def _build_estimate_cell(variant: Variant, task_name: str) -> Cell:
    estimate = get_estimate(variant, task_name)
    if estimate is None:
        return Cell("undefined" if task_name in variant.tasks else NO_VALUE)
    difference = (
        variant.differences_from_reference.get(task_name) if variant.kind not in {SINGLE, MAJORITY} else None
    )
    mark = VERDICT_MARKS.get(difference.verdict, "") if difference else ""
    return Cell(f"{format_metric(estimate.mean)}{mark and ' ' + mark}", _format_interval(estimate))


def _format_interval(estimate: Estimate) -> str:
    return (
        ""
        if estimate.low == estimate.high == estimate.mean
        else format_range(format_metric(estimate.low), format_metric(estimate.high))
    )


def _build_delta_m_cell(variant: Variant) -> Cell:
    estimate = variant.delta_m
    if estimate is None:
        return Cell(NO_VALUE)
    return Cell(
        format_signed_percent(estimate.mean),
        format_range(format_signed_percent(estimate.low), format_signed_percent(estimate.high)),
    )


def format_signed_percent(value: float) -> str:
    """Format a relative gain: `+2.5 %`."""
    return f"{value:+.1f} %".replace("-", MINUS_SIGN)


def build_differences_table(artifacts: ComparisonArtifacts, reference: Reference) -> Table | None:
    """Build the table of differences: one row per task and variant; None if there are no differences."""
    variants = select_compared_variants(artifacts, reference)
    rows = []
    for row in [*(task.name for task in artifacts.tasks), OVERALL]:
        differences = [
            (one, difference)
            for one in variants
            if (difference := get_differences(one, reference).get(row)) is not None
        ]
        for index, (one, difference) in enumerate(differences):
            cells = [
                Cell(row, is_repeated=index > 0),
                Cell(one.name),
                Cell(format_signed(difference.mean), strong=difference.is_significant),
            ]
            rows.append(
                [
                    *cells,
                    Cell(format_range(format_signed(difference.low), format_signed(difference.high))),
                    Cell(difference.verdict),
                ]
            )
    if not rows:
        return None
    columns = [
        Column("task", is_numeric=False),
        Column("variant", is_numeric=False),
        Column("difference"),
        Column(f"{format_level(artifacts)} interval"),
        Column("verdict", is_numeric=False),
    ]
    reference_label = artifacts.reference_phrase if reference == "reference" else "equal weights"
    return Table(f"Difference from {reference_label}", columns, rows)


def build_cost_table(artifacts: ComparisonArtifacts) -> Table:
    """Build the table of costs: one row per variant with parameters, times, settings."""
    columns = [
        Column("variant", is_numeric=False),
        Column("parameters"),
        Column("training time"),
        Column("inference time"),
        Column("settings", is_numeric=False),
    ]
    rows = [
        [
            Cell(one.name),
            Cell(NO_VALUE if one.parameters is None else format_count(one.parameters)),
            Cell(NO_VALUE if one.train_s is None else format_duration(one.train_s)),
            Cell(NO_VALUE if one.inference_ms is None else f"{one.inference_ms:.3g} ms"),
            Cell(", ".join(one.overrides)),
        ]
        for one in artifacts.variants
    ]
    return Table(
        "Training and inference cost", columns, rows, notes=["Training: all tasks. Inference: one example."]
    )
