"""A comparison as a LaTeX table for a paper: booktabs, a row a variant, a column a task."""

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
    r"""The table, to be read by `\input`; it needs the package booktabs."""
    overall = any(variant.overall is not None for variant in comparison.variants)
    columns = [*comparison.tasks, *([OVERALL] if overall else [])]
    heads = [escaped(name) for name in columns]
    metrics = [escaped(task.metric.replace("_", " ")) for task in comparison.tasks.values()]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            r"\begin{tabular}{l" + "r" * (len(columns) + 1) + "}",
            r"\toprule",
            " & ".join(["", *heads, r"$\Delta_m$ (\%)"]) + r" \\",
            " & ".join(["", *metrics, *([""] if overall else []), ""]) + r" \\",
            r"\midrule",
            *(_row(variant, columns) for variant in comparison.variants),
            r"\bottomrule",
            r"\end{tabular}",
            rf"\caption{{{_caption(comparison)}}}",
            rf"\label{{tab:{''.join(letter if letter.isalnum() else '-' for letter in comparison.experiment)}}}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Text as LaTeX."""
    return "".join(ESCAPED.get(letter, letter) for letter in text)


def _row(variant: VariantSummary, columns: list[str]) -> str:
    cells = [escaped(variant.name)]
    for name in columns:
        estimate = variant.overall if name == OVERALL and name not in variant.tasks else variant.tasks[name]
        cells.append(_cell(estimate, (variant.against_single or {}).get(name)))
    gain = variant.delta_m
    if gain is None or gain.mean is None or gain.low is None or gain.high is None:
        cells.append("--")
    else:
        cells.append(f"${gain.mean:+.2f}$ {_small(f'{gain.low:+.2f}', f'{gain.high:+.2f}')}")
    return " & ".join(cells) + r" \\"


def _cell(estimate: Estimate | None, difference: Difference | None) -> str:
    if estimate is None or estimate.mean is None or estimate.low is None or estimate.high is None:
        return "--"
    arrow = ARROWS[difference.verdict] if difference is not None else ""
    return f"{number(estimate.mean)}{arrow} {_small(number(estimate.low), number(estimate.high))}"


def _small(low: str, high: str) -> str:
    return rf"{{\scriptsize [${low}$, ${high}$]}}"


def _caption(comparison: Comparison) -> str:
    seeds = len(comparison.seeds)
    over = f"{seeds} seeds and " if seeds > 1 and comparison.variants[0].kind != "run" else ""
    held = f" (each held out once in {comparison.folds} folds)" if comparison.folds else ""
    return (
        f"{escaped(comparison.experiment)}: means over {over}{comparison.examples:,} {comparison.part} "
        rf"examples{held}, with {100 * comparison.level:g}\,\% intervals of a paired bootstrap. "
        rf"$\uparrow$ and $\downarrow$: better and worse than {escaped(comparison.reference)}, the interval of the "
        r"difference holding no 0. "
        rf"$\Delta_m$: mean relative gain over {escaped(comparison.reference)}."
    )
