"""The sections on a comparison of many tasks: verdicts, the largest differences, and a table of all tasks."""

from collections.abc import Iterator, Sequence

from mtl_core.artifacts.comparison import VERDICT_MARKS, Comparison, VariantSummary
from mtl_core.artifacts.comparison_summary import DifferenceSummary, RankedDifference, summarize_differences
from mtl_core.reporting.blocks import Block, Cell, Column, FigureBlock, SearchableTable, Section, SideBySide, Table
from mtl_core.reporting.comparison.figures import draw_delta_m, draw_ranked_differences
from mtl_core.reporting.comparison.selection import (
    BASELINES,
    describe_reference,
    get_differences,
    get_estimate,
    select_compared_variants,
)
from mtl_core.reporting.comparison.tables import format_level, format_signed_percent
from mtl_core.reporting.figures.distribution import Distribution, draw_histogram
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import (
    NO_VALUE,
    format_count,
    format_metric,
    format_metric_name,
    format_p_value,
    format_range,
    format_signed,
    pluralize,
)

VERDICT_HEADERS = {
    "improved": "improved ▲",
    "degraded": "degraded ▼",
    "practically equal": "practically equal =",
    "not resolved": "not resolved",
    "undefined": "undefined",
}


def describe_many_tasks(comparison: Comparison) -> str:
    """Return the headline: for how many tasks learning together helped, hurt, or made no difference."""
    variant = find_main_variant(comparison)
    summary = summarize_differences(comparison, variant) if variant is not None else None
    if variant is None or summary is None:
        return f"{pluralize(len(comparison.variants), 'variant')} on {pluralize(len(comparison.tasks), 'task')}."
    counts = summary.counts
    name = "One network for all tasks" if variant.kind == "multi-task" else variant.name
    text = (
        f"{name} against {describe_reference(comparison)}: of {pluralize(len(comparison.tasks), 'task')}, "
        f"{format_count(counts['improved'])} improved, {format_count(counts['degraded'])} degraded, and "
        f"{format_count(counts['practically equal'])} are practically equal; the data cannot tell for "
        f"{format_count(counts['not resolved'] + counts['undefined'])}."
    )
    mean = variant.mean_difference.defined if variant.mean_difference is not None else None
    if mean is None:
        return text
    return (
        f"{text} Mean difference over tasks: {format_signed(mean.mean)} ({format_level(comparison)} interval "
        f"{format_range(format_signed(mean.low), format_signed(mean.high))})."
    )


def find_main_variant(comparison: Comparison) -> VariantSummary | None:
    """Return the variant whose differences are listed: multi-task learning, or the first one that is compared."""
    variants = select_compared_variants(comparison, "reference")
    return next((one for one in variants if one.kind == "multi-task"), variants[0] if variants else None)


def build_many_tasks_sections(comparison: Comparison, palette: Palette) -> list[Section]:
    """Build the sections: the result over all tasks, the largest differences, and all tasks."""
    sections = [Section("results", "Results", list(_build_result_blocks(comparison, palette)))]
    variant = find_main_variant(comparison)
    summary = summarize_differences(comparison, variant) if variant is not None else None
    if variant is not None and summary is not None:
        blocks = list(_build_ranked_blocks(comparison, variant, summary, palette))
        sections.append(Section("differences", f"Largest differences of {variant.name}", blocks))
    sections.append(Section("tasks", "All tasks", [SearchableTable(build_all_tasks_table(comparison))]))
    return sections


def _build_result_blocks(comparison: Comparison, palette: Palette) -> Iterator[Block]:
    yield build_verdict_table(comparison)
    variant = find_main_variant(comparison)
    if variant is None:
        return
    pairs = get_differences(variant, "reference")
    differences = [pairs[task][0].mean for task in comparison.tasks if task in pairs]
    metrics = {task.metric for task in comparison.tasks.values()}
    if len(metrics) == 1 and differences:
        axis = f"difference of {format_metric_name(metrics.pop())}, {variant.name} and {comparison.reference}"
        distribution = Distribution("differences", axis, differences, [], "no difference", reference=0.0)
        caption = f"The differences between {variant.name} and {describe_reference(comparison)} over all tasks."
        yield FigureBlock(caption, [draw_histogram(distribution, palette)])
    delta = draw_delta_m(comparison, palette)
    if delta is not None:
        yield FigureBlock("Δm: the mean over tasks of the relative gain (Maninis et al., 2019).", [delta])


def build_verdict_table(comparison: Comparison) -> Table:
    """Build the table of verdicts: one row per variant."""
    columns = [
        Column("variant", is_numeric=False),
        *(Column(title) for title in VERDICT_HEADERS.values()),
        Column("mean difference"),
        Column("mean relative gain"),
    ]
    rows = []
    for variant in comparison.variants:
        summary = summarize_differences(comparison, variant)
        if summary is None or variant.kind in BASELINES:
            continue
        total = len(comparison.tasks)
        mean = variant.mean_difference.defined if variant.mean_difference is not None else None
        gain = variant.delta_m.defined if variant.delta_m is not None else None
        rows.append(
            [
                Cell(variant.name),
                *(Cell(format_count(count), bar=count / total) for count in summary.counts.values()),
                Cell(NO_VALUE)
                if mean is None
                else Cell(format_signed(mean.mean), format_range(format_signed(mean.low), format_signed(mean.high))),
                Cell(NO_VALUE)
                if gain is None
                else Cell(
                    format_signed_percent(gain.mean),
                    format_range(format_signed_percent(gain.low), format_signed_percent(gain.high)),
                ),
            ]
        )
    notes = [
        "Improved, degraded: the interval of the difference excludes zero, and so does a test that is corrected for "
        "the number of differences. Practically equal: the interval is within the margin. Not resolved: the data "
        f"cannot tell. Mean difference: every task counted once, with its {format_level(comparison)} interval."
    ]
    title = f"Number of tasks per verdict, compared with {describe_reference(comparison)}"
    return Table(title, columns, rows, notes=notes, stacked=True)


def _build_ranked_blocks(
    comparison: Comparison, variant: VariantSummary, summary: DifferenceSummary, palette: Palette
) -> Iterator[Block]:
    tables = [
        _build_ranked_table(f"{len(ranked)} largest {word}", comparison, variant, ranked)
        for word, ranked in (("improvements", summary.improvements), ("degradations", summary.degradations))
        if ranked
    ]
    if tables:
        yield SideBySide(tables)
        tasks = [one.task for one in (*summary.improvements, *reversed(summary.degradations))]
        caption = (
            f"The largest improvements and degradations of {variant.name}, with {format_level(comparison)} intervals. "
            "Filled markers: improved or degraded."
        )
        yield FigureBlock(caption, [draw_ranked_differences(comparison, variant, tasks, palette)])


def _build_ranked_table(
    title: str, comparison: Comparison, variant: VariantSummary, ranked: Sequence[RankedDifference]
) -> Table:
    columns = [
        Column("task", is_numeric=False),
        Column("labels"),
        Column(comparison.reference),
        Column(variant.name),
        Column("difference"),
        Column(f"{format_level(comparison)} interval"),
        Column("", is_numeric=False),
    ]
    reference = next(one for one in comparison.variants if one.name == comparison.reference)
    rows = []
    for one in ranked:
        interval = one.difference.defined
        assert interval is not None  # noqa: S101  undefined differences are not ranked
        rows.append(
            [
                Cell(one.task),
                Cell(format_count(comparison.tasks[one.task].n)),
                Cell(format_metric(reference.tasks[one.task].mean)),
                Cell(format_metric(variant.tasks[one.task].mean)),
                Cell(format_signed(interval.mean), strong=one.difference.is_significant),
                Cell(format_range(format_signed(interval.low), format_signed(interval.high))),
                Cell(VERDICT_MARKS[one.difference.verdict]),
            ]
        )
    return Table(title, columns, rows)


def build_all_tasks_table(comparison: Comparison) -> Table:
    """Build the table of all tasks: the score of each variant, and the difference of the main variant."""
    variant = find_main_variant(comparison)
    has_one_metric = len({task.metric for task in comparison.tasks.values()}) == 1
    columns = [Column("task", is_numeric=False), Column("labels")]
    columns += [] if has_one_metric else [Column("metric", is_numeric=False)]
    columns += [Column(one.name) for one in comparison.variants]
    if variant is not None:
        columns += [
            Column("difference"),
            Column("low"),
            Column("high"),
            Column("corrected p"),
            Column("verdict", is_numeric=False),
        ]
    rows = []
    for name, task in comparison.tasks.items():
        cells = [Cell(name), Cell(format_count(task.n))]
        cells += [] if has_one_metric else [Cell(format_metric_name(task.metric))]
        cells += [_build_mean_cell(one, name) for one in comparison.variants]
        rows.append([*cells, *(_build_difference_cells(variant, name) if variant is not None else [])])
    caption = "All tasks: means over seeds"
    if variant is not None:
        caption += f", and the difference of {variant.name} from {describe_reference(comparison)}"
    return Table(f"{caption}; comparison.csv contains all variants and intervals", columns, rows)


def _build_mean_cell(variant: VariantSummary, task: str) -> Cell:
    estimate = get_estimate(variant, task)
    return Cell(NO_VALUE if estimate is None else format_metric(estimate.mean))


def _build_difference_cells(variant: VariantSummary, task: str) -> list[Cell]:
    difference = (variant.differences_from_reference or {})[task]
    interval = difference.defined
    if interval is None:
        return [Cell(NO_VALUE), Cell(NO_VALUE), Cell(NO_VALUE), Cell(NO_VALUE), Cell(difference.verdict)]
    p_value = difference.adjusted_p_value
    return [
        Cell(format_signed(interval.mean), strong=difference.is_significant),
        Cell(format_signed(interval.low)),
        Cell(format_signed(interval.high)),
        Cell(NO_VALUE if p_value is None else format_p_value(p_value)),
        Cell(difference.verdict),
    ]
