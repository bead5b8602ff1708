"""The table of an ablation in the terminal."""

from collections.abc import Sequence

from rich.table import Table

from mtl_core.experiments.ablate import AblationSummary


def build_ablation_table(name: str, summaries: Sequence[AblationSummary], n_seeds: int, n_folds: int | None) -> Table:
    """Build the table of the variants: score, difference from `none`, and training time.

    Args:
        name: The experiment's name.
        summaries: The variants, `none` first.
        n_seeds: Number of seeds.
        n_folds: Number of folds; None for the experiment's own split.
    """
    repetitions = f"{n_seeds} seed{'s' if n_seeds > 1 else ''}" + (f", {n_folds} folds" if n_folds else "")
    table = Table(
        title=f"{name}: validation, {repetitions}",
        title_justify="left",
        caption="± is the standard deviation over seeds; a difference within it may be due to chance"
        if n_seeds > 1
        else None,
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("auxiliary tasks", overflow="fold")
    for column in ("score", "against none", "training"):
        table.add_column(column, justify="right", no_wrap=True)
    base = summaries[0].train_s
    for summary in summaries:
        difference = (
            "-" if summary is summaries[0] else _format_spread(f"{summary.difference:+.4f}", summary.difference_std)
        )
        slowdown = "" if summary is summaries[0] else f" ({summary.train_s / base:.2f} x)"
        table.add_row(
            summary.variant,
            _format_spread(f"{summary.mean:.4f}", summary.std),
            difference,
            f"{summary.train_s:.1f} s{slowdown}",
        )
    return table


def _format_spread(value: str, spread: float | None) -> str:
    return value if spread is None else f"{value} ± {spread:.4f}"
