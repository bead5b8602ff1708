"""Print the result of `mtl sweep`."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtl_core.cli.sweep_progress import format_param
from mtl_core.experiments.sweep.directory import SweepDirectory
from mtl_core.experiments.sweep.run_sweep import SweepReport
from mtl_core.experiments.sweep.trial_record import BASELINE_TRIAL, TrialRecord

MAX_TRIALS = 5
"""Number of trials in the table; the trial with the experiment's own values is always included."""

MAX_KEY_COLUMNS = 4
"""Maximum number of searched keys with one column each; more keys share a column."""
MIN_KEY_WIDTH = 7
"""Minimum width of a key column, in characters, so that four keys fit 80 columns."""


def print_sweep(
    console: Console, name: str, report: SweepReport, baseline_texts: Mapping[str, str], directory: SweepDirectory
) -> None:
    """Print the best trials, the parameter importances, and the next step.

    Args:
        console: The console.
        name: The experiment's name.
        report: The result of the sweep.
        baseline_texts: Searched key to the experiment's own value.
        directory: The output directory of the sweep.
    """
    if report.disclaimer:
        console.print(report.disclaimer, style="bold yellow", highlight=False)
    console.print(_build_trials_table(name, report, baseline_texts))
    if report.best is None:
        console.print(f"no trial is complete; {directory.trials} lists the reasons", markup=False, soft_wrap=True)
        return
    console.print()
    console.print(_build_parameters_table(report, report.best, baseline_texts))
    if report.best.number == BASELINE_TRIAL:
        console.print("\nno trial was better than the experiment's own values", markup=False)
    console.print(
        f"\n{directory.best}: written. The best of many validation scores is optimistic; the test data has not "
        f"been evaluated; `mtl run {directory.best}` evaluates it.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _build_trials_table(name: str, report: SweepReport, baseline_texts: Mapping[str, str]) -> Table:
    table = Table(
        title=f"{escape(name)}: {escape(report.metric)} on validation data, "
        f"{'higher' if report.higher_is_better else 'lower'} is better ({_format_counts(report.records)})",
        title_justify="left",
        caption="change: difference from the experiment's own values, trial 0",
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for column in ("trial", "score", "change", "epoch"):
        table.add_column(column, justify="right", no_wrap=True)
    is_single_column = len(baseline_texts) > MAX_KEY_COLUMNS
    headers = shorten_keys(list(baseline_texts))
    for header in ["values"] if is_single_column else headers:
        table.add_column(escape(header), overflow="fold", min_width=min(len(header), MIN_KEY_WIDTH))
    sign = -1 if report.higher_is_better else 1
    scores = {record.number: record.value for record in report.records if record.value is not None}
    ranked = sorted(scores, key=lambda number: (sign * scores[number], number))
    displayed_numbers = {*ranked[:MAX_TRIALS], BASELINE_TRIAL}
    records = {record.number: record for record in report.records}
    for number in (number for number in ranked if number in displayed_numbers):
        change = (
            f"{scores[number] - scores[BASELINE_TRIAL]:+.4f}"
            if number != BASELINE_TRIAL and BASELINE_TRIAL in scores
            else "-"
        )
        values = _format_params(records[number], baseline_texts)
        if is_single_column:
            values = [", ".join(f"{key}={value}" for key, value in zip(headers, values, strict=True))]
        cells = [str(number), f"{scores[number]:.4f}", change, records[number].best_epochs]
        table.add_row(*cells, *map(escape, values))
    return table


def _format_counts(records: Sequence[TrialRecord]) -> str:
    labels = {"complete": "complete", "pruned": "pruned", "failed": "failed"}
    counts = Counter(labels[record.outcome.state] for record in records if record.outcome is not None)
    return ", ".join(f"{counts[label]} {label}" for label in labels.values() if counts[label])


def _format_params(record: TrialRecord, baseline_texts: Mapping[str, str]) -> list[str]:
    return [
        baseline_texts[key] if record.number == BASELINE_TRIAL else format_param(record.params[key])
        for key in baseline_texts
    ]


def shorten_keys(keys: Sequence[str]) -> list[str]:
    """Shorten dotted keys to their shortest unique suffixes: `lr` for `optimizer.lr`."""

    def get_suffix(key: str, steps: int) -> str:
        return ".".join(key.split(".")[-steps:])

    short_names = []
    for key in keys:
        lengths = range(1, key.count(".") + 2)
        unique_lengths = (n for n in lengths if sum(get_suffix(other, n) == get_suffix(key, n) for other in keys) == 1)
        short_names.append(get_suffix(key, next(unique_lengths, len(lengths))))
    return short_names


def _build_parameters_table(report: SweepReport, best: TrialRecord, baseline_texts: Mapping[str, str]) -> Table:
    table = Table(
        caption="importance: the share of the variance between complete trials that this key alone explains"
        if report.importance
        else None,
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("key", no_wrap=True)
    table.add_column("own", overflow="fold")
    table.add_column(f"trial {best.number}, the best", overflow="fold")
    if report.importance:
        table.add_column("importance", justify="right", no_wrap=True)
    for (key, value), best_value in zip(baseline_texts.items(), _format_params(best, baseline_texts), strict=True):
        importance = [f"{report.importance[key]:.0%}" if key in report.importance else "-"] if report.importance else []
        table.add_row(escape(key), escape(value), escape(best_value), *importance)
    return table
