"""Format a comparison as a LaTeX table, with booktabs.

Rows are tasks or variants, whichever are more numerous, so that the table fits the page.
"""

from mtl_core.comparison.summary import OVERALL, Comparison, Difference, Estimate, VariantSummary
from mtl_core.comparison.words import number

ESCAPED = {
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
ARROWS = {"gained": r"$^{\uparrow}$", "suffered": r"$^{\downarrow}$", "noise": "", "undefined": ""}


def latex_text(comparison: Comparison) -> str:
    r"""Return the table, for use with `\input`; it needs the package booktabs."""
    rows = _cells(comparison)
    if len(rows[0]) > len(rows):
        rows = [list(row) for row in zip(*rows, strict=True)]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            r"\begin{tabular}{l" + "r" * (len(rows[0]) - 1) + "}",
            r"\toprule",
            _line(rows[0]),
            r"\midrule",
            *(_line(row) for row in rows[1:]),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{_caption(comparison)}}}",
            rf"\label{{tab:{''.join(letter if letter.isalnum() else '-' for letter in comparison.experiment)}}}",
            r"\end{table}",
            "",
        ]
    )


def _cells(comparison: Comparison) -> list[list[str]]:
    """Return a header row, then one row per variant; one column per task."""
    metrics = {task.metric for task in comparison.tasks.values()}
    overall = [OVERALL] if any(variant.overall is not None for variant in comparison.variants) else []
    heads = [
        escaped(name) if len(metrics) == 1 else f"{escaped(name)} ({escaped(task.metric.replace('_', ' '))})"
        for name, task in comparison.tasks.items()
    ]
    columns = [*comparison.tasks, *overall]
    return [
        ["", *heads, *overall, r"$\Delta_m$ (\%)"],
        *(_row(variant, columns) for variant in comparison.variants),
    ]


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def escaped(text: str) -> str:
    """Escape text for LaTeX."""
    return "".join(ESCAPED.get(letter, letter) for letter in text)


def _row(variant: VariantSummary, columns: list[str]) -> list[str]:
    cells = [escaped(variant.name)]
    for name in columns:
        estimate = variant.overall if name == OVERALL and name not in variant.tasks else variant.tasks[name]
        cells.append(_cell(estimate, (variant.against_single or {}).get(name)))
    gain = variant.delta_m
    if gain is None or gain.mean is None or gain.low is None or gain.high is None:
        cells.append("--")
    else:
        cells.append(f"${gain.mean:+.2f}$ {_small(f'{gain.low:+.2f}', f'{gain.high:+.2f}')}")
    return cells


def _cell(estimate: Estimate | None, difference: Difference | None) -> str:
    if estimate is None or estimate.mean is None or estimate.low is None or estimate.high is None:
        return "--"
    arrow = ARROWS[difference.verdict] if difference is not None else ""
    return f"{number(estimate.mean)}{arrow} {_small(number(estimate.low), number(estimate.high))}"


def _small(low: str, high: str) -> str:
    return rf"{{\scriptsize [${low}$, ${high}$]}}"


def _caption(comparison: Comparison) -> str:
    seeds = len(comparison.seeds)
    metrics = {task.metric.replace("_", " ") for task in comparison.tasks.values()}
    measured = f" {escaped(metrics.pop())}," if len(metrics) == 1 else ""
    over = f"{seeds} seeds and " if seeds > 1 and comparison.variants[0].kind != "run" else ""
    held = f" (each held out once in {comparison.folds} folds)" if comparison.folds else ""
    return (
        f"{escaped(comparison.experiment)}:{measured} means over {over}{comparison.examples:,} {comparison.part} "
        rf"examples{held}, with {100 * comparison.level:g}\,\% intervals of a paired bootstrap. "
        rf"$\uparrow$ and $\downarrow$: better and worse than {escaped(comparison.reference)}; the interval of the "
        r"difference excludes 0. "
        rf"$\Delta_m$: mean relative gain over {escaped(comparison.reference)}."
    )
