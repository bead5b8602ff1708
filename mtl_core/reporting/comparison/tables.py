"""The tables of a comparison: metrics, differences, costs."""

from collections.abc import Iterator

from mtl_core.artifacts.comparison import VERDICT_MARKS, Comparison, DefinedInterval, VariantSummary
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.reporting.blocks import Cell, Column, Table
from mtl_core.reporting.comparison.selection import (
    BASELINES,
    Reference,
    describe_reference,
    get_delta_m,
    get_differences,
    get_estimate,
    has_overall,
    select_compared_variants,
)
from mtl_core.reporting.formatting import (
    MINUS_SIGN,
    NO_VALUE,
    format_count,
    format_duration,
    format_metric,
    format_metric_name,
    format_p_value,
    format_range,
    format_signed,
)


def build_metrics_table(comparison: Comparison) -> Table:
    """Build the table of metrics: one row per task, one column per variant."""
    has_shared_metric = len({task.metric for task in comparison.tasks.values()}) == 1
    columns = [
        Column("task", is_numeric=False),
        Column("labels"),
        *([] if has_shared_metric else [Column("metric", is_numeric=False)]),
    ]
    columns += [Column(one.name) for one in comparison.variants]
    rows = [
        [
            Cell(name),
            Cell(format_count(task.n)),
            *(
                []
                if has_shared_metric
                else [Cell(format_metric_name(task.metric) + ("" if task.higher_is_better else " ↓"))]
            ),
            *(_build_estimate_cell(one, name) for one in comparison.variants),
        ]
        for name, task in comparison.tasks.items()
    ]
    blank = [] if has_shared_metric else [Cell("")]
    footer = []
    if has_overall(comparison):
        labels = Cell(format_count(sum(task.n for task in comparison.tasks.values())))
        footer.append(
            [Cell(OVERALL), labels, *blank, *(_build_estimate_cell(one, OVERALL) for one in comparison.variants)]
        )
    if any(map(get_delta_m, comparison.variants)):
        footer.append([Cell("Δm"), Cell(""), *blank, *(_build_delta_m_cell(one) for one in comparison.variants)])
    return Table(
        _build_caption(comparison),
        columns,
        rows,
        footer,
        list(_build_notes(comparison, has_shared_metric)),
        stacked=True,
    )


def _build_caption(comparison: Comparison) -> str:
    metric = format_metric_name(next(iter(comparison.tasks.values())).metric)
    metric_text = metric if len({task.metric for task in comparison.tasks.values()}) == 1 else "the metric of each task"
    seed_text = f"mean over {len(comparison.seeds)} seeds" if len(comparison.seeds) > 1 else "one seed"
    fold_text = f", {comparison.folds} folds" if comparison.folds else ""
    text = f"{metric_text[:1].upper()}{metric_text[1:]} on {comparison.split_name} data, {seed_text}{fold_text}"
    return f"{text}, with {format_level(comparison)} intervals"


def format_level(comparison: Comparison) -> str:
    """Format the level of the intervals: `95 %`."""
    return f"{100 * comparison.confidence_level:g} %"


def _build_notes(comparison: Comparison, has_shared_metric: bool) -> Iterator[str]:
    if any(get_differences(one, "reference") for one in comparison.variants):
        yield (
            f"▲ improved, ▼ degraded against {describe_reference(comparison)}: the {format_level(comparison)} interval "
            "of the difference excludes zero, and so does a test that is corrected for the number of differences. "
            "= practically equal: the interval is within the margin. Other differences are not resolved."
        )
    if any(map(get_delta_m, comparison.variants)):
        yield "Δm: the mean over tasks of the relative gain over " + describe_reference(comparison) + "."
    if not all(task.higher_is_better for task in comparison.tasks.values()):
        yield "↓ Smaller is better." if not has_shared_metric else "Smaller is better."


def _build_estimate_cell(variant: VariantSummary, task_name: str) -> Cell:
    estimate = get_estimate(variant, task_name)
    if estimate is None:
        return Cell("undefined" if task_name in variant.tasks else NO_VALUE)
    differences = get_differences(variant, "reference") if variant.kind not in BASELINES else {}
    mark = VERDICT_MARKS[differences[task_name][1].verdict] if task_name in differences else ""
    return Cell(f"{format_metric(estimate.mean)}{mark and ' ' + mark}", _format_interval(estimate))


def _format_interval(estimate: DefinedInterval) -> str:
    return (
        ""
        if estimate.low == estimate.high == estimate.mean
        else format_range(format_metric(estimate.low), format_metric(estimate.high))
    )


def _build_delta_m_cell(variant: VariantSummary) -> Cell:
    estimate = get_delta_m(variant)
    if estimate is None:
        return Cell(NO_VALUE)
    return Cell(
        format_signed_percent(estimate.mean),
        format_range(format_signed_percent(estimate.low), format_signed_percent(estimate.high)),
    )


def format_signed_percent(value: float) -> str:
    """Format a relative gain: `+2.5 %`."""
    return f"{value:+.1f} %".replace("-", MINUS_SIGN)


def build_differences_table(comparison: Comparison, reference: Reference) -> Table | None:
    """Build the table of differences: one row per task and variant; None if there are no differences."""
    variants = select_compared_variants(comparison, reference)
    rows: list[list[Cell]] = []
    for row in [*comparison.tasks, OVERALL]:
        differences = [
            (one, *pair) for one in variants if (pair := get_differences(one, reference).get(row)) is not None
        ]
        rows += [
            [
                Cell(row, is_repeated=index > 0),
                Cell(one.name),
                Cell(format_signed(interval.mean), strong=difference.is_significant),
                Cell(format_range(format_signed(interval.low), format_signed(interval.high))),
                Cell(NO_VALUE if difference.adjusted_p_value is None else format_p_value(difference.adjusted_p_value)),
                Cell(format_count(difference.discordant)),
                Cell(difference.verdict),
            ]
            for index, (one, interval, difference) in enumerate(differences)
        ]
    if not rows:
        return None
    columns = [
        Column("task", is_numeric=False),
        Column("variant", is_numeric=False),
        Column("difference"),
        Column(f"{format_level(comparison)} interval"),
        Column("corrected p"),
        Column("answers that differ"),
        Column("verdict", is_numeric=False),
    ]
    reference_label = describe_reference(comparison) if reference == "reference" else "equal weights"
    return Table(f"Difference from {reference_label}", columns, rows)


def build_cost_table(comparison: Comparison) -> Table:
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
            Cell(format_count(one.parameters)),
            Cell(format_duration(one.train_s)),
            Cell(f"{one.inference_ms:.3g} ms"),
            Cell(", ".join(one.overrides)),
        ]
        for one in comparison.variants
    ]
    return Table("Training and inference cost", columns, rows, notes=["Training: all tasks. Inference: one example."])
