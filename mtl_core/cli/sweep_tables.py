"""Print the result of `mtl sweep`."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtl_core.cli.sweep_progress import short
from mtl_core.sweeps.folder import SweepFolder
from mtl_core.sweeps.study import OWN, Row
from mtl_core.sweeps.sweep import SweepReport

SHOWN = 5
"""Number of trials in the table; the trial with the experiment's own values is always included."""

COLUMNS = 4
"""Maximum number of searched keys with one column each; more keys share a column."""
LETTERS = 7
"""Minimum width of a key column, in characters, so that four keys fit 80 columns."""


def print_sweep(
    console: Console, name: str, report: SweepReport, own: Mapping[str, str], folder: SweepFolder
) -> None:
    """Print the best trials, the parameter importances, and the next step.

    Args:
        console: The console.
        name: The experiment's name.
        report: The result of the sweep.
        own: Searched key to the experiment's own value.
        folder: The output directory of the sweep.
    """
    if report.notice:
        console.print(report.notice, style="bold yellow", highlight=False)
    console.print(_trials(name, report, own))
    if report.best is None:
        console.print(f"no trial is complete; {folder.trials} lists the reasons", markup=False, soft_wrap=True)
        return
    console.print()
    console.print(_parameters(report, report.best, own))
    if report.best.number == OWN:
        console.print("\nno trial was better than the experiment's own values", markup=False)
    console.print(
        f"\n{folder.best}: written. The best of many validation scores is optimistic; the test data has not been "
        f"evaluated; `mtl run {folder.best}` evaluates it.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _trials(name: str, report: SweepReport, own: Mapping[str, str]) -> Table:
    table = Table(
        title=f"{escape(name)}: {escape(report.figure)} on validation data, "
        f"{'higher' if report.higher_is_better else 'lower'} is better ({_counts(report.rows)})",
        title_justify="left",
        caption="change: difference from the experiment's own values, trial 0",
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for column in ("trial", "score", "change", "epoch"):
        table.add_column(column, justify="right", no_wrap=True)
    together = len(own) > COLUMNS
    heads = short_keys(list(own))
    for head in ["values"] if together else heads:
        table.add_column(escape(head), overflow="fold", min_width=min(len(head), LETTERS))
    sign = -1 if report.higher_is_better else 1
    scores = {row.number: row.value for row in report.rows if row.value is not None}
    ranked = sorted(scores, key=lambda number: (sign * scores[number], number))
    shown = {*ranked[:SHOWN], OWN}
    rows = {row.number: row for row in report.rows}
    for number in (number for number in ranked if number in shown):
        change = f"{scores[number] - scores[OWN]:+.4f}" if number != OWN and OWN in scores else "-"
        values = _values(rows[number], own)
        if together:
            values = [", ".join(f"{key}={value}" for key, value in zip(heads, values, strict=True))]
        cells = [str(number), f"{scores[number]:.4f}", change, rows[number].best_epochs]
        table.add_row(*cells, *map(escape, values))
    return table


def _counts(rows: Sequence[Row]) -> str:
    words = {"complete": "complete", "pruned": "pruned", "failed": "failed"}
    counts = Counter(words[row.outcome.state] for row in rows if row.outcome is not None)
    return ", ".join(f"{counts[word]} {word}" for word in words.values() if counts[word])


def _values(row: Row, own: Mapping[str, str]) -> list[str]:
    return [own[key] if row.number == OWN else short(row.values[key]) for key in own]


def short_keys(keys: Sequence[str]) -> list[str]:
    """Shorten dotted keys to their shortest unique suffixes: `lr` for `optimizer.lr`."""

    def end(key: str, steps: int) -> str:
        return ".".join(key.split(".")[-steps:])

    shortened = []
    for key in keys:
        lengths = range(1, key.count(".") + 2)
        told = (n for n in lengths if sum(end(other, n) == end(key, n) for other in keys) == 1)
        shortened.append(end(key, next(told, len(lengths))))
    return shortened


def _parameters(report: SweepReport, best: Row, own: Mapping[str, str]) -> Table:
    table = Table(
        caption="importance: the share of the variance between complete trials that this key alone explains"
        if report.worth
        else None,
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("key", no_wrap=True)
    table.add_column("own", overflow="fold")
    table.add_column(f"trial {best.number}, the best", overflow="fold")
    if report.worth:
        table.add_column("importance", justify="right", no_wrap=True)
    for (key, value), drawn in zip(own.items(), _values(best, own), strict=True):
        share = [f"{report.worth[key]:.0%}" if key in report.worth else "-"] if report.worth else []
        table.add_row(escape(key), escape(value), escape(drawn), *share)
    return table
