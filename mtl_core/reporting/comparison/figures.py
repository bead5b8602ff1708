"""The figures of a comparison: one per metric, split to fit on a sheet of paper."""

from collections.abc import Iterator, Sequence

from mtl_core.artifacts.comparison import Comparison, VariantSummary
from mtl_core.reporting.comparison.selection import (
    BASELINES,
    MAX_PANELS,
    Panel,
    Reference,
    describe_reference,
    get_delta_m,
    get_differences,
    get_estimate,
    group_into_panels,
    select_compared_variants,
    select_plotted_variants,
)
from mtl_core.reporting.figures.drawing import Drawing
from mtl_core.reporting.figures.forest_plot import DifferenceSeries, PlottedDifference, draw_forest_plot
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.variant_bars import VariantSeries, draw_variant_bars
from mtl_core.reporting.formatting import MINUS_SIGN, format_metric_name, truncate_label


def draw_metric_bars(comparison: Comparison, palette: Palette) -> Iterator[Drawing]:
    """Draw the metrics of all variants per task."""
    variants = select_plotted_variants(comparison)
    for panel in group_into_panels(comparison)[:MAX_PANELS]:
        series = [
            VariantSeries(
                one.name,
                index,
                {row: estimate for row in panel.task_names if (estimate := get_estimate(one, row)) is not None},
            )
            for index, one in enumerate(variants)
        ]
        axis_label = format_metric_name(panel.metric) + (
            "" if panel.higher_is_better else f" of {panel.task_names[0]}, smaller is better"
        )
        yield draw_variant_bars(
            _format_drawing_name("bars", panel), panel.task_names, series, axis_label, panel.is_proportion, palette
        )


def draw_difference_plots(comparison: Comparison, reference: Reference, palette: Palette) -> Iterator[Drawing]:
    """Draw the differences of all variants from the reference or from equal weights."""
    plotted = select_plotted_variants(comparison)
    variants = [one for one in select_compared_variants(comparison, reference) if one in plotted]
    if not variants:
        return
    name = "differences" if reference == "reference" else "differences-equal"
    reference_label = (
        "single-task" if describe_reference(comparison) == "single-task learning" else comparison.reference
    )
    for panel in group_into_panels(comparison)[:MAX_PANELS]:
        series = [
            DifferenceSeries(
                one.name,
                plotted.index(one),
                {
                    row: PlottedDifference(*interval, difference.is_significant)
                    for row, (interval, difference) in get_differences(one, reference).items()
                    if row in panel.task_names
                },
            )
            for one in variants
        ]
        baseline_label = reference_label if reference == "reference" else "equal weights"
        difference_label = f"{format_metric_name(panel.metric)} {MINUS_SIGN} {truncate_label(baseline_label, 20)}" + (
            ", points" if panel.is_proportion else ""
        )
        axis_label = difference_label if panel.higher_is_better else f"{difference_label}; smaller is better"
        yield draw_forest_plot(
            _format_drawing_name(name, panel), panel.task_names, series, axis_label, panel.is_proportion, palette
        )


def draw_ranked_differences(
    comparison: Comparison, variant: VariantSummary, tasks: Sequence[str], palette: Palette
) -> Drawing:
    """Draw the differences of a variant from the reference for some tasks."""
    differences = get_differences(variant, "reference")
    series = DifferenceSeries(
        variant.name,
        0,
        {task: PlottedDifference(*differences[task][0], differences[task][1].is_significant) for task in tasks},
    )
    axis_label = f"{variant.name} {MINUS_SIGN} {truncate_label(comparison.reference, 20)}"
    return draw_forest_plot("largest-differences", tasks, [series], axis_label, False, palette, show_legend=False)


def draw_delta_m(comparison: Comparison, palette: Palette) -> Drawing | None:
    """Draw the mean relative gains; return None if there are none."""
    differences = {
        one.name: PlottedDifference(*delta_m, delta_m.low > 0 or delta_m.high < 0)
        for one in select_plotted_variants(comparison)
        if one.kind not in BASELINES and (delta_m := get_delta_m(one)) is not None
    }
    if not differences:
        return None
    return draw_forest_plot(
        "delta-m",
        list(differences),
        [DifferenceSeries("Δm", 0, differences)],
        "mean relative gain (Δm), %",
        False,
        palette,
        show_legend=False,
    )


def _format_drawing_name(kind: str, panel: Panel) -> str:
    return f"{kind}-{panel.name}" if panel.name else kind
