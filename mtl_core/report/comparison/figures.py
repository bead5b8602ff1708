"""The figures of a comparison: one per metric, split to fit on a sheet of paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_core.report.figures.canvas import Drawing
from mtl_core.report.figures.differences import Gap, Gaps, draw_differences
from mtl_core.report.figures.palette import Palette
from mtl_core.report.figures.variants import Series, draw_variants
from mtl_core.report.read_comparison import (
    MAJORITY,
    OVERALL,
    SINGLE,
    ComparedTask,
    ComparisonFiles,
    Difference,
    Estimate,
    Variant,
)
from mtl_core.report.wording import MINUS, shortened, slug, spoken

Against = Literal["reference", "equal"]
"""The variant that others are compared with."""
ROWS = 40
"""Maximum number of tasks per figure."""
MOST_VARIANTS = 8
"""Maximum number of variants per figure: the number of colours, hatches and markers."""
PANELS = 24
"""Maximum number of figures per kind."""


@dataclass(frozen=True)
class Panel:
    """Tasks that share an axis of a figure.

    Attributes:
        name: A suffix that makes the file name unique; empty if there is only one panel.
        rows: The names of the tasks, and optionally `overall`.
        metric: The name of the metric.
        shares: Whether the metric is a proportion of labels.
        higher_is_better: Whether larger values are better.
    """

    name: str
    rows: Sequence[str]
    metric: str
    shares: bool
    higher_is_better: bool


def is_share(metric: str) -> bool:
    """Return whether a metric is a proportion of labels, which is formatted in percent."""
    return metric.startswith("accuracy") or metric == "exact_match"


def panels(files: ComparisonFiles) -> list[Panel]:
    """Group tasks by metric; errors have different units, so each such task has its own panel."""
    found: dict[str, list[ComparedTask]] = {}
    for task in files.tasks:
        found.setdefault(task.metric if task.higher_is_better else f"{task.metric} {task.name}", []).append(task)
    made = []
    for tasks in found.values():
        rows = [task.name for task in tasks]
        if len(found) == 1 and any(one.overall for one in files.variants):
            rows.append(OVERALL)
        for start in range(0, len(rows), ROWS):
            names = [tasks[0].metric if tasks[0].higher_is_better else tasks[0].name] if len(found) > 1 else []
            names += [str(start // ROWS + 1)] if start else []
            first = tasks[0]
            made.append(
                Panel(
                    "-".join(map(slug, names)),
                    rows[start : start + ROWS],
                    first.metric,
                    is_share(first.metric),
                    first.higher_is_better,
                )
            )
    return made


def drawn_variants(files: ComparisonFiles) -> list[Variant]:
    """Select the variants to plot: all, or the predefined ones and then the best of the others."""
    if len(files.variants) <= MOST_VARIANTS:
        return list(files.variants)
    named = [one for one in files.variants if one.kind != "variant"][:MOST_VARIANTS]
    others = [one for one in files.variants if one not in named]
    best = sorted(others, key=lambda one: -(one.delta_m.mean if one.delta_m else float("-inf")))
    chosen = [*named, *best[: MOST_VARIANTS - len(named)]]
    return [one for one in files.variants if one in chosen]


def figure_of(variant: Variant, row: str) -> Estimate | None:
    """Return the estimate of a variant for a task, or for all tasks pooled."""
    return variant.tasks.get(row) or (variant.overall if row == OVERALL else None)


def bar_drawings(files: ComparisonFiles, palette: Palette) -> Iterator[Drawing]:
    """Draw the metrics of all variants per task."""
    variants = drawn_variants(files)
    for panel in panels(files)[:PANELS]:
        series = [
            Series(
                one.name,
                place,
                {row: (e.mean, e.low, e.high) for row in panel.rows if (e := figure_of(one, row)) is not None},
            )
            for place, one in enumerate(variants)
        ]
        axis = spoken(panel.metric) + ("" if panel.higher_is_better else f" of {panel.rows[0]}, smaller is better")
        yield draw_variants(_named("bars", panel), panel.rows, series, axis, panel.shares, palette)


def compared(files: ComparisonFiles, against: Against) -> list[Variant]:
    """Return the variants with differences, except for the single-task and majority baselines."""
    return [one for one in files.variants if differences_of(one, against) and one.kind not in {SINGLE, MAJORITY}]


def differences_of(variant: Variant, against: Against) -> Mapping[str, Difference]:
    """Return the differences of a variant from the reference or from equal weights."""
    return variant.against_single if against == "reference" else variant.against_equal


def difference_drawings(files: ComparisonFiles, against: Against, palette: Palette) -> Iterator[Drawing]:
    """Draw the differences of all variants from the reference or from equal weights."""
    drawn = drawn_variants(files)
    variants = [one for one in compared(files, against) if one in drawn]
    if not variants:
        return
    name = "differences" if against == "reference" else "differences-equal"
    other = "single-task" if files.reference_words == "single-task learning" else files.reference
    for panel in panels(files)[:PANELS]:
        series = [
            Gaps(
                one.name,
                drawn.index(one),
                {row: _gap(d) for row in panel.rows if (d := differences_of(one, against).get(row)) is not None},
            )
            for one in variants
        ]
        second = other if against == "reference" else "equal weights"
        unit = f"{spoken(panel.metric)} {MINUS} {shortened(second, 20)}" + (", points" if panel.shares else "")
        axis = unit if panel.higher_is_better else f"{unit}; smaller is better"
        yield draw_differences(_named(name, panel), panel.rows, series, axis, panel.shares, palette)


def delta_drawing(files: ComparisonFiles, palette: Palette) -> Drawing | None:
    """Draw the mean relative gains; return None if there are none."""
    rows = {
        one.name: one.delta_m for one in drawn_variants(files) if one.delta_m and one.kind not in {SINGLE, MAJORITY}
    }
    if not rows:
        return None
    gaps = {name: Gap(e.mean, e.low, e.high, e.low > 0 or e.high < 0) for name, e in rows.items()}
    axis = "mean relative gain (Δm), %"
    return draw_differences("delta-m", list(rows), [Gaps("Δm", 0, gaps)], axis, False, palette, named=False)


def _gap(difference: Difference) -> Gap:
    return Gap(difference.mean, difference.low, difference.high, difference.sure)


def _named(kind: str, panel: Panel) -> str:
    return f"{kind}-{panel.name}" if panel.name else kind
