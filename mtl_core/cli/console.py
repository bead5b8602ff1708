"""Terminal output that commands share: the width of tables, and the message of an interruption."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table


def measure_width(console: Console, table: Table) -> int:
    """Return the width in characters that a table would have in a terminal of any width."""
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


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
