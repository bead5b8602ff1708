"""Selection of the tasks, variants and differences of a comparison that its tables and figures show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mtl_core.artifacts.comparison import Comparison, DefinedInterval, Difference, Kind, VariantSummary
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.reporting.formatting import slugify

BASELINES: tuple[Kind, ...] = ("single-task", "majority")
"""Kinds of variants whose differences are not shown."""
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


def group_into_panels(comparison: Comparison) -> list[Panel]:
    """Group tasks by metric; errors have different units, so each such task has its own panel."""
    tasks_by_metric: dict[str, list[str]] = {}
    for name, task in comparison.tasks.items():
        tasks_by_metric.setdefault(task.metric if task.higher_is_better else f"{task.metric} {name}", []).append(name)
    panel_list = []
    for tasks in tasks_by_metric.values():
        rows, first = list(tasks), comparison.tasks[tasks[0]]
        if len(tasks_by_metric) == 1 and has_overall(comparison):
            rows.append(OVERALL)
        for start in range(0, len(rows), MAX_TASKS):
            names = [first.metric if first.higher_is_better else tasks[0]] if len(tasks_by_metric) > 1 else []
            names += [str(start // MAX_TASKS + 1)] if start else []
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


def select_plotted_variants(comparison: Comparison) -> list[VariantSummary]:
    """Select the variants to plot: all, or the predefined ones and then the best of the others."""
    if len(comparison.variants) <= MAX_VARIANTS:
        return list(comparison.variants)
    predefined = [one for one in comparison.variants if one.kind != "variant"][:MAX_VARIANTS]
    remaining = [one for one in comparison.variants if one not in predefined]
    ranked = sorted(remaining, key=lambda one: -(delta_m.mean if (delta_m := get_delta_m(one)) else float("-inf")))
    selected = [*predefined, *ranked[: MAX_VARIANTS - len(predefined)]]
    return [one for one in comparison.variants if one in selected]


def get_estimate(variant: VariantSummary, task_name: str) -> DefinedInterval | None:
    """Return the score of a variant for a task, or for all tasks pooled; None if it is undefined."""
    estimate = variant.tasks.get(task_name) or (variant.overall if task_name == OVERALL else None)
    return estimate.defined if estimate is not None else None


def get_delta_m(variant: VariantSummary) -> DefinedInterval | None:
    """Return the mean relative gain of a variant; None for the reference, and if it is undefined."""
    return variant.delta_m.defined if variant.delta_m is not None else None


def has_overall(comparison: Comparison) -> bool:
    """Return whether a variant has a score over all tasks."""
    return any(get_estimate(one, OVERALL) for one in comparison.variants)


def find_variant_of_kind(comparison: Comparison, kind: Kind) -> VariantSummary | None:
    """Return the first variant of a kind; None if there is none."""
    return next((one for one in comparison.variants if one.kind == kind), None)


def describe_reference(comparison: Comparison) -> str:
    """Return the reference of the differences, as a phrase."""
    single = find_variant_of_kind(comparison, "single-task")
    return (
        "single-task learning" if single is not None and single.name == comparison.reference else comparison.reference
    )


def select_compared_variants(comparison: Comparison, reference: Reference) -> list[VariantSummary]:
    """Return the variants with differences, except for the single-task and majority baselines."""
    return [one for one in comparison.variants if get_differences(one, reference) and one.kind not in BASELINES]


def get_differences(variant: VariantSummary, reference: Reference) -> dict[str, tuple[DefinedInterval, Difference]]:
    """Return the defined differences of a variant from the reference or from equal weights, by task."""
    differences = (
        variant.differences_from_reference if reference == "reference" else variant.differences_from_equal_weights
    )
    return {
        task: (interval, difference)
        for task, difference in (differences or {}).items()
        if (interval := difference.defined) is not None
    }
