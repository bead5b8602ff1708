"""Terminal output that commands share: plain lines, progress bars, and the message of an interruption."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table


def print_plain(console: Console, text: str, style: str | None = None) -> None:
    """Print a text as it is: without markup, highlighting, or line breaks at the terminal's width."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def measure_width(console: Console, table: Table) -> int:
    """Return the width in characters that a table would have in a terminal of any width."""
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def build_progress(console: Console, label: str = "{task.description}") -> Progress:
    """Build a progress bar with a label, a count, the remaining time and a status text (the field `status`).

    The bar disappears at the end, and the status is cropped at the terminal's width.
    """
    return Progress(
        TextColumn(label, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, overflow="crop", ratio=1)),
        console=console,
        transient=True,
        expand=True,
    )


@contextmanager
def handle_interrupt(format_hint: Callable[[], str]) -> Iterator[None]:
    """Print a message at Ctrl-C, and exit with code 130; Typer would exit without a message.

    Args:
        format_hint: Returns how to continue, or an empty text.
    """
    try:
        yield
    except KeyboardInterrupt:
        hint = format_hint()
        typer.echo(f"interrupted{f'; {hint}' if hint else ''}", err=True)
        raise typer.Exit(130) from None
