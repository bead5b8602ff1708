"""The page of the report of a comparison."""

from collections.abc import Iterator

from mtl_core.artifacts.comparison import Comparison, VariantSummary
from mtl_core.artifacts.interactions import TaskInteractions
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.reporting.blocks import Block, Collapsible, FigureBlock, Page, Section, TextBlock
from mtl_core.reporting.comparison.figures import draw_delta_m, draw_difference_plots, draw_metric_bars
from mtl_core.reporting.comparison.many_tasks import build_many_tasks_sections, describe_many_tasks
from mtl_core.reporting.comparison.selection import (
    MAX_PANELS,
    MAX_VARIANTS,
    Reference,
    describe_reference,
    find_variant_of_kind,
    get_delta_m,
    get_differences,
    get_estimate,
    group_into_panels,
    is_proportion_metric,
    select_compared_variants,
)
from mtl_core.reporting.comparison.tables import (
    build_cost_table,
    build_differences_table,
    build_metrics_table,
    format_level,
    format_signed_percent,
)
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.formatting import format_count, format_percent, format_range, format_signed, pluralize
from mtl_core.reporting.interactions_section import build_interactions_section
from mtl_core.statistics.multiple_testing import CORRECTION_NAMES


def build_comparison_page(comparison: Comparison, interactions: TaskInteractions | None, palette: Palette) -> Page:
    """Build the page of a comparison.

    Args:
        comparison: The comparison.
        interactions: The task interactions of one of its multi-task runs; None if they were not measured.
        palette: The colours of the figures; call this function inside `plot_style` with the same palette.
    """
    is_large = has_many_tasks(len(comparison.tasks))
    sections = [
        Section("summary", "Summary", [TextBlock(comparison.summary, is_list=True)]) if comparison.summary else None,
        *(build_many_tasks_sections(comparison, palette) if is_large else _build_task_sections(comparison, palette)),
        build_interactions_section(interactions, palette) if interactions is not None else None,
        Section("cost", "Cost", [build_cost_table(comparison)]),
        Section("method", "Methods", [TextBlock(list(_describe_method(comparison)))]),
        _build_runs_section(comparison),
    ]
    return Page(
        kind="comparison",
        title=comparison.experiment,
        headline=describe_many_tasks(comparison) if is_large else _build_headline(comparison),
        disclaimer="",
        facts=_collect_facts(comparison),
        sections=[section for section in sections if section is not None],
        footer="Generated from comparison.json; `mtl report` regenerates it and the figures as PDF and SVG.",
    )


def _build_task_sections(comparison: Comparison, palette: Palette) -> list[Section | None]:
    """Build the sections of a comparison that lists every task."""
    return [
        Section("results", "Results", list(_build_result_blocks(comparison, palette))),
        _build_differences_section(comparison, palette),
    ]


def _build_headline(comparison: Comparison) -> str:
    multi = find_variant_of_kind(comparison, "multi-task")
    single = find_variant_of_kind(comparison, "single-task")
    majority = find_variant_of_kind(comparison, "majority")
    if multi is None or single is None:
        return f"{pluralize(len(comparison.variants), 'variant')} on {pluralize(len(comparison.tasks), 'task')}."
    multi_score, single_score = get_estimate(multi, OVERALL), get_estimate(single, OVERALL)
    has_proportions = all(is_proportion_metric(task.metric) for task in comparison.tasks.values())
    if multi_score is not None and single_score is not None and has_proportions:
        text = (
            f"{format_percent(multi_score.mean)} of the {comparison.split_name} labels correct with one network "
            f"for all tasks, {format_percent(single_score.mean)} with one network per task"
        )
        if majority is not None and (majority_score := get_estimate(majority, OVERALL)) is not None:
            text += f"; majority-class baseline: {format_percent(majority_score.mean)}"
        return f"{text}.{_describe_overall_difference(comparison, multi)}"
    gain = get_delta_m(multi)
    if gain is None:
        return f"One network for {pluralize(len(comparison.tasks), 'task')}, compared with one network per task."
    return (
        f"One network for all {len(comparison.tasks)} tasks against one network per task: mean relative gain "
        f"{format_signed_percent(gain.mean)} ({format_level(comparison)} interval "
        f"{format_signed_percent(gain.low)} to {format_signed_percent(gain.high)})."
    )


def _describe_overall_difference(comparison: Comparison, multi: VariantSummary) -> str:
    """Return a sentence with the interval and the verdict of the difference over all tasks; empty if undefined."""
    pair = get_differences(multi, "reference").get(OVERALL)
    if pair is None:
        return ""
    interval, difference = pair
    return (
        f" Difference {format_signed(interval.mean)} ({format_level(comparison)} interval "
        f"{format_range(format_signed(interval.low), format_signed(interval.high))}): {difference.verdict}."
    )


def _collect_facts(comparison: Comparison) -> list[tuple[str, str]]:
    facts = [("tasks", format_count(len(comparison.tasks))), ("variants", format_count(len(comparison.variants)))]
    facts.append(("seeds", ", ".join(map(str, comparison.seeds))))
    if comparison.folds:
        facts.append(("folds", format_count(comparison.folds)))
    facts.append((f"{comparison.split_name} examples", format_count(comparison.examples)))
    return facts


def _build_result_blocks(comparison: Comparison, palette: Palette) -> Iterator[Block]:
    yield build_metrics_table(comparison)
    caption = f"The metrics of all variants per task; lines are {format_level(comparison)} intervals."
    yield FigureBlock(caption + _describe_omissions(comparison), list(draw_metric_bars(comparison, palette)))


def _describe_omissions(comparison: Comparison) -> str:
    text = ""
    if len(comparison.variants) > MAX_VARIANTS:
        text += f" Of {len(comparison.variants)} variants, {MAX_VARIANTS} are shown."
    if (n_panels := len(group_into_panels(comparison))) > MAX_PANELS:
        text += f" Of {n_panels} plots, the first {MAX_PANELS} are shown; the table contains all metrics."
    return text


def _build_differences_section(comparison: Comparison, palette: Palette) -> Section | None:
    blocks: list[Block] = []
    reference: Reference
    for reference in ("reference", "equal"):
        table = build_differences_table(comparison, reference)
        if table is None:
            continue
        caption = (
            f"{table.caption}, with {format_level(comparison)} intervals. Filled markers: improved or degraded."
            + _describe_omissions(comparison)
        )
        blocks.append(FigureBlock(caption, list(draw_difference_plots(comparison, reference, palette))))
        delta = draw_delta_m(comparison, palette) if reference == "reference" else None
        if delta is not None:
            caption = (
                f"Δm: the mean over tasks of the relative gain over {describe_reference(comparison)} (Maninis et "
                f"al., 2019), with {format_level(comparison)} intervals."
            )
            blocks.append(FigureBlock(caption, [delta]))
        blocks.append(Collapsible(f"{table.caption} as a table", [table]))
    title = f"Differences from {describe_reference(comparison)}" + (
        " and equal weights" if select_compared_variants(comparison, "equal") else ""
    )
    return Section("differences", title, blocks) if blocks else None


def _describe_method(comparison: Comparison) -> Iterator[str]:
    fold_text = f" and {comparison.folds} folds" if comparison.folds else ""
    aggregation = "averaged over seeds" if len(comparison.seeds) > 1 else "for that seed"
    yield (
        f"Every variant is trained with {pluralize(len(comparison.seeds), 'seed')}{fold_text}, on the same "
        f"examples; metrics are computed on {comparison.split_name} data, {aggregation}."
    )
    level = format_level(comparison)
    if len(comparison.seeds) > 1:
        yield (
            f"Intervals ({level}) cover variation over seeds and over examples, which are crossed. The half-width of "
            "the seeds has Student's t with one degree of freedom less than seeds; that of the examples, which all "
            "seeds share, is added by squares (Banerjee, 1960). The influence of each example is estimated by the "
            "jackknife. Three changed answers are added to the variance (Bonett and Price, 2012)."
        )
    else:
        yield (
            f"Intervals ({level}) cover variation over examples, whose influence is estimated by the jackknife. "
            "Three changed answers are added to the variance (Bonett and Price, 2012)."
        )
    yield (
        "A difference improved or degraded if its interval excludes zero and its p-value, corrected for the number of "
        f"differences in its family, is at most {1 - comparison.confidence_level:.2g}. The p-value is the larger one "
        "of the interval's and of a permutation test that exchanges the answers to examples (Noreen, 1989). Families: "
        + "; ".join(
            f"{name}: {pluralize(family.size, 'difference')}, {CORRECTION_NAMES[family.correction]}"
            for name, family in comparison.families.items()
        )
        + ". A difference is practically equal if its interval is within the margin. Anything else is not resolved: "
        "the data cannot tell, which is no evidence that both are equal."
    )


def _build_runs_section(comparison: Comparison) -> Section | None:
    runs = [f"{one.name}: {', '.join(one.runs)}" for one in comparison.variants if one.runs]
    if not runs:
        return None
    return Section("runs", "Runs", [Collapsible("Run directories", [TextBlock(runs, is_list=True)])])
