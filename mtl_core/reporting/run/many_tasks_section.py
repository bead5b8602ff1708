"""The section on results of many tasks: a summary, distributions, the best and worst tasks, and a table of all."""

from collections.abc import Iterator, Sequence

from mtl_core.reporting.blocks import Block, FigureBlock, SearchableTable, Section, SideBySide, TextBlock
from mtl_core.reporting.figures.distribution import Distribution, draw_cumulative, draw_histogram
from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import format_metric_name, slugify
from mtl_core.reporting.many_task_blocks import build_ranked_tables, build_summary_table
from mtl_core.reporting.run.results_section import build_results_table, get_baseline_name
from mtl_core.reporting.task_metrics import MetricValue, SplitMetrics

MAX_DISTRIBUTIONS = 4
"""Maximum number of main metrics whose distribution is drawn."""


def build_many_tasks_section(splits: Sequence[SplitMetrics], palette: Palette) -> Section:
    """Build the section: a summary per split; for the main split distributions, extremes and a table of all tasks."""
    main_split = splits[0]
    blocks: list[Block] = [build_summary_table(split) for split in splits]
    drawings = list(draw_distributions(main_split, palette))
    if drawings:
        caption = (
            f"The metric of each task on the {main_split.split_name} data and its baseline, as a histogram and as the "
            "share of tasks whose value is at most x."
        )
        blocks.append(FigureBlock(caption, drawings))
    tables = build_ranked_tables(main_split)
    if tables:
        blocks.append(SideBySide(tables))
    blocks.append(SearchableTable(build_results_table(main_split)))
    if len(splits) > 1:
        names = ", ".join(split.split_name for split in splits[1:])
        blocks.append(TextBlock([f"metrics.json contains the metrics of each task on the {names} data."]))
    return Section("results", "Results", blocks)


def draw_distributions(split: SplitMetrics, palette: Palette) -> Iterator[Drawing]:
    """Draw a histogram and a cumulative curve per main metric; errors are divided by those of the baseline."""
    by_metric: dict[str, list[MetricValue]] = {}
    for task in split.tasks:
        if task.main_metric is not None and task.main_metric.value is not None:
            by_metric.setdefault(task.main_metric.name, []).append(task.main_metric)
    for name, metrics in list(by_metric.items())[:MAX_DISTRIBUTIONS]:
        distribution = _build_distribution(name, metrics)
        if distribution.values:
            yield draw_histogram(distribution, palette)
            yield draw_cumulative(distribution, palette)


def _build_distribution(name: str, metrics: Sequence[MetricValue]) -> Distribution:
    is_proportion, label = metrics[0].is_proportion, format_metric_name(name)
    baseline_label = get_baseline_name(is_proportion)
    pairs = [(metric.value, metric.baseline) for metric in metrics if metric.value is not None]
    if metrics[0].lower_is_better:
        ratios = [value / baseline for value, baseline in pairs if baseline]
        axis = f"{label}, baseline = 1, smaller is better"
        return Distribution(f"distribution-{slugify(name)}", axis, ratios, [], baseline_label, reference=1.0)
    values, baselines = [value for value, _ in pairs], [baseline for _, baseline in pairs if baseline is not None]
    reference = baselines[0] if baselines and len(set(baselines)) == 1 else None
    return Distribution(
        f"distribution-{slugify(name)}",
        label,
        values,
        [] if reference is not None else baselines,
        baseline_label,
        reference,
        is_proportion,
    )
