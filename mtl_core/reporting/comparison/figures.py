"""The figures of a comparison: one per metric, split to fit on a sheet of paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_core.reporting.figures.canvas import Drawing
from mtl_core.reporting.figures.forest_plot import DifferenceSeries, PlottedDifference, draw_forest_plot
from mtl_core.reporting.figures.palette import Palette
from mtl_core.reporting.figures.variant_bars import VariantSeries, draw_variant_bars
from mtl_core.reporting.formatting import MINUS_SIGN, format_metric_name, slugify, truncate_label
from mtl_core.reporting.read_comparison import (
    MAJORITY,
    OVERALL,
    SINGLE,
    ComparedTask,
    ComparisonArtifacts,
    Difference,
    Estimate,
    Variant,
)

Reference = Literal["reference", "equal"]
"""The variant that others are compared with."""
MAX_TASKS = 40
"""Maximum number of tasks per figure."""
MAX_VARIANTS = 8
"""Maximum number of variants per figure: the number of colours, hatches and markers."""
MAX_PANELS = 24
"""Maximum number of figures per kind."""


@dataclass(frozen=True)
class Panel:
    """Tasks that share an axis of a figure.

    Attributes:
        name: A suffix that makes the file name unique; empty if there is only one panel.
        task_names: The names of the tasks, and optionally `overall`.
        metric: The name of the metric.
        is_proportion: Whether the metric is a proportion of labels.
        higher_is_better: Whether larger values are better.
    """

    name: str
    task_names: Sequence[str]
    metric: str
    is_proportion: bool
    higher_is_better: bool


def is_proportion_metric(metric: str) -> bool:
    """Return whether a metric is a proportion of labels, which is formatted in percent."""
    return metric.startswith("accuracy") or metric == "exact_match"


def group_into_panels(artifacts: ComparisonArtifacts) -> list[Panel]:
    """Group tasks by metric; errors have different units, so each such task has its own panel."""
    tasks_by_metric: dict[str, list[ComparedTask]] = {}
    for task in artifacts.tasks:
        tasks_by_metric.setdefault(
            task.metric if task.higher_is_better else f"{task.metric} {task.name}", []
        ).append(task)
    panel_list = []
    for tasks in tasks_by_metric.values():
        rows = [task.name for task in tasks]
        if len(tasks_by_metric) == 1 and any(one.overall for one in artifacts.variants):
            rows.append(OVERALL)
        for start in range(0, len(rows), MAX_TASKS):
            names = (
                [tasks[0].metric if tasks[0].higher_is_better else tasks[0].name]
                if len(tasks_by_metric) > 1
                else []
            )
            names += [str(start // MAX_TASKS + 1)] if start else []
            first = tasks[0]
            panel_list.append(
                Panel(
                    "-".join(map(slugify, names)),
                    rows[start : start + MAX_TASKS],
                    first.metric,
                    is_proportion_metric(first.metric),
                    first.higher_is_better,
                )
            )
    return panel_list


def select_plotted_variants(artifacts: ComparisonArtifacts) -> list[Variant]:
    """Select the variants to plot: all, or the predefined ones and then the best of the others."""
    if len(artifacts.variants) <= MAX_VARIANTS:
        return list(artifacts.variants)
    predefined = [one for one in artifacts.variants if one.kind != "variant"][:MAX_VARIANTS]
    remaining = [one for one in artifacts.variants if one not in predefined]
    ranked = sorted(remaining, key=lambda one: -(one.delta_m.mean if one.delta_m else float("-inf")))
    selected = [*predefined, *ranked[: MAX_VARIANTS - len(predefined)]]
    return [one for one in artifacts.variants if one in selected]


def get_estimate(variant: Variant, task_name: str) -> Estimate | None:
    """Return the estimate of a variant for a task, or for all tasks pooled."""
    return variant.tasks.get(task_name) or (variant.overall if task_name == OVERALL else None)


def draw_metric_bars(artifacts: ComparisonArtifacts, palette: Palette) -> Iterator[Drawing]:
    """Draw the metrics of all variants per task."""
    variants = select_plotted_variants(artifacts)
    for panel in group_into_panels(artifacts)[:MAX_PANELS]:
        series = [
            VariantSeries(
                one.name,
                index,
                {
                    row: (estimate.mean, estimate.low, estimate.high)
                    for row in panel.task_names
                    if (estimate := get_estimate(one, row)) is not None
                },
            )
            for index, one in enumerate(variants)
        ]
        axis_label = format_metric_name(panel.metric) + (
            "" if panel.higher_is_better else f" of {panel.task_names[0]}, smaller is better"
        )
        yield draw_variant_bars(
            _format_drawing_name("bars", panel), panel.task_names, series, axis_label, panel.is_proportion, palette
        )


def select_compared_variants(artifacts: ComparisonArtifacts, reference: Reference) -> list[Variant]:
    """Return the variants with differences, except for the single-task and majority baselines."""
    return [
        one for one in artifacts.variants if get_differences(one, reference) and one.kind not in {SINGLE, MAJORITY}
    ]


def get_differences(variant: Variant, reference: Reference) -> Mapping[str, Difference]:
    """Return the differences of a variant from the reference or from equal weights."""
    return (
        variant.differences_from_reference if reference == "reference" else variant.differences_from_equal_weights
    )


def draw_difference_plots(
    artifacts: ComparisonArtifacts, reference: Reference, palette: Palette
) -> Iterator[Drawing]:
    """Draw the differences of all variants from the reference or from equal weights."""
    plotted = select_plotted_variants(artifacts)
    variants = [one for one in select_compared_variants(artifacts, reference) if one in plotted]
    if not variants:
        return
    name = "differences" if reference == "reference" else "differences-equal"
    reference_label = "single-task" if artifacts.reference_phrase == "single-task learning" else artifacts.reference
    for panel in group_into_panels(artifacts)[:MAX_PANELS]:
        series = [
            DifferenceSeries(
                one.name,
                plotted.index(one),
                {
                    row: _build_difference(difference)
                    for row in panel.task_names
                    if (difference := get_differences(one, reference).get(row)) is not None
                },
            )
            for one in variants
        ]
        baseline_label = reference_label if reference == "reference" else "equal weights"
        difference_label = (
            f"{format_metric_name(panel.metric)} {MINUS_SIGN} {truncate_label(baseline_label, 20)}"
            + (", points" if panel.is_proportion else "")
        )
        axis_label = difference_label if panel.higher_is_better else f"{difference_label}; smaller is better"
        yield draw_forest_plot(
            _format_drawing_name(name, panel), panel.task_names, series, axis_label, panel.is_proportion, palette
        )


def draw_delta_m(artifacts: ComparisonArtifacts, palette: Palette) -> Drawing | None:
    """Draw the mean relative gains; return None if there are none."""
    rows = {
        one.name: one.delta_m
        for one in select_plotted_variants(artifacts)
        if one.delta_m and one.kind not in {SINGLE, MAJORITY}
    }
    if not rows:
        return None
    differences = {
        name: PlottedDifference(estimate.mean, estimate.low, estimate.high, estimate.low > 0 or estimate.high < 0)
        for name, estimate in rows.items()
    }
    axis_label = "mean relative gain (Δm), %"
    return draw_forest_plot(
        "delta-m",
        list(rows),
        [DifferenceSeries("Δm", 0, differences)],
        axis_label,
        False,
        palette,
        show_legend=False,
    )


def _build_difference(difference: Difference) -> PlottedDifference:
    return PlottedDifference(difference.mean, difference.low, difference.high, difference.is_significant)


def _format_drawing_name(kind: str, panel: Panel) -> str:
    return f"{kind}-{panel.name}" if panel.name else kind
