"""Format a comparison as a LaTeX table, with booktabs.

Rows are tasks or variants, whichever are more numerous, so that the table fits the page.
"""

from collections.abc import Mapping

from mtl_core.artifacts.comparison import Comparison, Difference, Estimate, Interval, VariantSummary
from mtl_core.artifacts.comparison_summary import summarize_differences
from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.metrics import OVERALL
from mtl_core.reporting.formatting import format_metric, format_metric_name
from mtl_core.statistics.verdicts import Verdict

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
ARROWS: Mapping[Verdict, str] = {
    "improved": r"$^{\uparrow}$",
    "degraded": r"$^{\downarrow}$",
    "practically equal": r"$^{=}$",
    "not resolved": "",
    "undefined": "",
}


def format_latex(comparison: Comparison) -> str:
    r"""Return the table, for use with `\input`; it needs the package booktabs."""
    if has_many_tasks(len(comparison.tasks)):
        rows = _build_summary_rows(comparison)
    else:
        rows = _build_rows(comparison)
        if len(rows[0]) > len(rows):
            rows = [list(row) for row in zip(*rows, strict=True)]
    label = "".join(character if character.isalnum() else "-" for character in comparison.experiment)
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            r"\begin{tabular}{l" + "r" * (len(rows[0]) - 1) + "}",
            r"\toprule",
            _format_line(rows[0]),
            r"\midrule",
            *(_format_line(row) for row in rows[1:]),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{_format_caption(comparison)}}}",
            rf"\label{{tab:{label}}}",
            r"\end{table}",
            "",
        ]
    )


def _build_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header row, then one row per variant; one column per task."""
    metrics = {task.metric for task in comparison.tasks.values()}
    overall = [OVERALL] if any(variant.overall is not None for variant in comparison.variants) else []
    headers = [
        escape_latex(name)
        if len(metrics) == 1
        else f"{escape_latex(name)} ({escape_latex(format_metric_name(task.metric))})"
        for name, task in comparison.tasks.items()
    ]
    columns = [*comparison.tasks, *overall]
    return [
        ["", *headers, *overall, r"$\Delta_m$ (\%)"],
        *(_build_row(variant, columns) for variant in comparison.variants),
    ]


def _build_summary_rows(comparison: Comparison) -> list[list[str]]:
    """Return a header row, then one row per variant: the number of tasks per verdict, and the means over tasks."""
    verdicts: tuple[Verdict, ...] = ("improved", "degraded", "practically equal", "not resolved")
    rows = [["", *verdicts, "mean difference", r"$\Delta_m$ (\%)"]]
    for variant in comparison.variants:
        summary = summarize_differences(comparison, variant)
        if summary is None or variant.kind == "majority":
            continue
        counts = [str(summary.counts[verdict]) for verdict in verdicts]
        mean = variant.mean_difference
        rows.append(
            [escape_latex(variant.name), *counts, _format_signed(mean, "+.4f"), _format_signed(variant.delta_m, "+.2f")]
        )
    return rows


def _format_signed(interval: Interval | None, format_spec: str) -> str:
    if interval is None or interval.mean is None or interval.low is None or interval.high is None:
        return "--"
    bounds = _format_interval(f"{interval.low:{format_spec}}", f"{interval.high:{format_spec}}")
    return f"${interval.mean:{format_spec}}$ {bounds}"


def _format_line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape_latex(text: str) -> str:
    """Escape text for LaTeX."""
    return "".join(ESCAPES.get(character, character) for character in text)


def _build_row(variant: VariantSummary, columns: list[str]) -> list[str]:
    cells = [escape_latex(variant.name)]
    for name in columns:
        estimate = variant.overall if name == OVERALL and name not in variant.tasks else variant.tasks[name]
        cells.append(_format_cell(estimate, (variant.differences_from_reference or {}).get(name)))
    return [*cells, _format_signed(variant.delta_m, "+.2f")]


def _format_cell(estimate: Estimate | None, difference: Difference | None) -> str:
    if estimate is None or estimate.mean is None or estimate.low is None or estimate.high is None:
        return "--"
    arrow = ARROWS[difference.verdict] if difference is not None else ""
    interval = _format_interval(format_metric(estimate.low), format_metric(estimate.high))
    return f"{format_metric(estimate.mean)}{arrow} {interval}"


def _format_interval(low: str, high: str) -> str:
    return rf"{{\scriptsize [${low}$, ${high}$]}}"


def _format_caption(comparison: Comparison) -> str:
    seeds = len(comparison.seeds)
    metrics = {format_metric_name(task.metric) for task in comparison.tasks.values()}
    metric_note = f" {escape_latex(metrics.pop())}," if len(metrics) == 1 else ""
    seeds_note = f"{seeds} seeds and " if seeds > 1 and comparison.variants[0].kind != "run" else ""
    folds_note = f" (each held out once in {comparison.folds} folds)" if comparison.folds else ""
    reference = escape_latex(comparison.reference)
    if has_many_tasks(len(comparison.tasks)):
        return (
            f"{escape_latex(comparison.experiment)}:{metric_note} number of {len(comparison.tasks):,} tasks per "
            f"verdict against {reference}, over {seeds_note}{comparison.examples:,} {comparison.split_name} examples"
            rf"{folds_note}, and mean difference over tasks with {100 * comparison.confidence_level:g}\,\% intervals. "
            r"Improved and degraded: the interval of the difference excludes 0, and so does a test corrected for the "
            rf"number of differences. $\Delta_m$: mean relative gain over {reference}."
        )
    return (
        f"{escape_latex(comparison.experiment)}:{metric_note} means over {seeds_note}{comparison.examples:,} "
        rf"{comparison.split_name} examples{folds_note}, with {100 * comparison.confidence_level:g}\,\% intervals. "
        rf"$\uparrow$ and $\downarrow$: improved and degraded against {reference}; the interval of the difference "
        r"excludes 0, and so does a test corrected for the number of differences. $=$: practically equal. "
        rf"$\Delta_m$: mean relative gain over {reference}."
    )
