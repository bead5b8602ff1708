"""The page of the report of a comparison."""

from collections.abc import Iterator

from mtl_core.reporting.blocks import Block, Collapsible, FigureBlock, Page, Section, TextBlock
from mtl_core.reporting.comparison.figures import (
    MAX_PANELS,
    MAX_VARIANTS,
    Reference,
    draw_delta_m,
    draw_difference_plots,
    draw_metric_bars,
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
from mtl_core.reporting.formatting import format_count, format_percent, pluralize
from mtl_core.reporting.read_comparison import MAJORITY, MULTI, SINGLE, ComparisonArtifacts
from mtl_core.reporting.run.interactions_section import build_interactions_section


def build_comparison_page(artifacts: ComparisonArtifacts, palette: Palette) -> Page:
    """Build the page of a comparison.

    Args:
        artifacts: The contents of the comparison's directory.
        palette: The colours of the figures; call this function inside `drawing` with the same palette.
    """
    sections = [
        Section("summary", "Summary", [TextBlock(artifacts.summary, is_list=True)]) if artifacts.summary else None,
        Section("results", "Results", list(_build_result_blocks(artifacts, palette))),
        _build_differences_section(artifacts, palette),
        build_interactions_section(artifacts.interactions, palette) if artifacts.interactions is not None else None,
        Section("cost", "Cost", [build_cost_table(artifacts)]),
        Section("method", "Methods", [TextBlock(list(_describe_method(artifacts)))]),
        _build_runs_section(artifacts),
    ]
    return Page(
        kind="comparison",
        title=artifacts.experiment,
        headline=_build_headline(artifacts),
        disclaimer="",
        facts=_collect_facts(artifacts),
        sections=[section for section in sections if section is not None],
        footer="Generated from comparison.json; `mtl report` regenerates it and the figures as PDF and SVG.",
    )


def _build_headline(artifacts: ComparisonArtifacts) -> str:
    multi, single, majority = (
        artifacts.find_variant_of_kind(MULTI),
        artifacts.find_variant_of_kind(SINGLE),
        artifacts.find_variant_of_kind(MAJORITY),
    )
    if multi is None or single is None:
        return f"{pluralize(len(artifacts.variants), 'variant')} on {pluralize(len(artifacts.tasks), 'task')}."
    shares = all(is_proportion_metric(task.metric) for task in artifacts.tasks)
    if multi.overall is not None and single.overall is not None and shares:
        text = (
            f"{format_percent(multi.overall.mean)} of the {artifacts.split_name} labels correct with one network for all tasks, "
            f"{format_percent(single.overall.mean)} with one network per task"
        )
        if majority is not None and majority.overall is not None:
            text += f"; majority-class baseline: {format_percent(majority.overall.mean)}"
        return text + "."
    gain = multi.delta_m
    if gain is None:
        return f"One network for {pluralize(len(artifacts.tasks), 'task')}, compared with one network per task."
    return (
        f"One network for all {len(artifacts.tasks)} tasks against one network per task: mean relative gain "
        f"{format_signed_percent(gain.mean)} ({format_level(artifacts)} interval {format_signed_percent(gain.low)} to "
        f"{format_signed_percent(gain.high)})."
    )


def _collect_facts(artifacts: ComparisonArtifacts) -> list[tuple[str, str]]:
    facts = [("tasks", format_count(len(artifacts.tasks))), ("variants", format_count(len(artifacts.variants)))]
    facts.append(("seeds", ", ".join(map(str, artifacts.seeds))))
    if artifacts.folds:
        facts.append(("folds", format_count(artifacts.folds)))
    if artifacts.examples is not None:
        facts.append((f"{artifacts.split_name} examples", format_count(artifacts.examples)))
    return facts


def _build_result_blocks(artifacts: ComparisonArtifacts, palette: Palette) -> Iterator[Block]:
    yield build_metrics_table(artifacts)
    caption = f"The metrics of all variants per task; lines are {format_level(artifacts)} intervals."
    yield FigureBlock(caption + _describe_omissions(artifacts), list(draw_metric_bars(artifacts, palette)))


def _describe_omissions(artifacts: ComparisonArtifacts) -> str:
    text = ""
    if len(artifacts.variants) > MAX_VARIANTS:
        text += f" Of {len(artifacts.variants)} variants, {MAX_VARIANTS} are shown."
    if (n_panels := len(group_into_panels(artifacts))) > MAX_PANELS:
        text += f" Of {n_panels} plots, the first {MAX_PANELS} are shown; the table contains all metrics."
    return text


def _build_differences_section(artifacts: ComparisonArtifacts, palette: Palette) -> Section | None:
    blocks: list[Block] = []
    reference: Reference
    for reference in ("reference", "equal"):
        table = build_differences_table(artifacts, reference)
        if table is None:
            continue
        caption = (
            f"{table.caption}, with {format_level(artifacts)} intervals. Hollow markers: interval contains zero."
            + _describe_omissions(artifacts)
        )
        blocks.append(FigureBlock(caption, list(draw_difference_plots(artifacts, reference, palette))))
        delta = draw_delta_m(artifacts, palette) if reference == "reference" else None
        if delta is not None:
            caption = (
                f"Δm: the mean over tasks of the relative gain over {artifacts.reference_phrase} (Maninis et al., "
                f"2019), with {format_level(artifacts)} intervals."
            )
            blocks.append(FigureBlock(caption, [delta]))
        blocks.append(Collapsible(f"{table.caption} as a table", [table]))
    title = f"Differences from {artifacts.reference_phrase}" + (
        " and equal weights" if select_compared_variants(artifacts, "equal") else ""
    )
    return Section("differences", title, blocks) if blocks else None


def _describe_method(artifacts: ComparisonArtifacts) -> Iterator[str]:
    fold_text = f" and {artifacts.folds} folds" if artifacts.folds else ""
    aggregation = "averaged over seeds" if len(artifacts.seeds) > 1 else "for that seed"
    yield (
        f"Every variant is trained with {pluralize(len(artifacts.seeds), 'seed')}{fold_text}, on the same examples; metrics "
        f"are computed on {artifacts.split_name} data, {aggregation}."
    )
    if artifacts.resamples:
        resampled = "examples and seeds" if len(artifacts.seeds) > 1 else "examples"
        yield (
            f"Intervals ({format_level(artifacts)}): {resampled} are resampled with replacement {format_count(artifacts.resamples)} times, "
            "with the same samples for every variant (paired bootstrap; Efron and Tibshirani, 1993)."
        )
    if len(artifacts.seeds) > 1:
        yield (
            "Resampling few seeds underestimates their variance, so intervals are widened to the unbiased variance "
            "and by the ratio of the quantiles of Student's t and the normal distribution."
        )
    yield (
        "A difference is not significant if its interval contains zero. With many tasks or variants, some "
        "differences are significant by chance: about one in twenty at 95 %."
    )


def _build_runs_section(artifacts: ComparisonArtifacts) -> Section | None:
    runs = [f"{one.name}: {', '.join(one.runs)}" for one in artifacts.variants if one.runs]
    if not runs:
        return None
    return Section("runs", "Runs", [Collapsible("Run directories", [TextBlock(runs, is_list=True)])])
