"""Progress bars, and the lines that are printed above them."""

from importlib.util import find_spec

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column


def print_plain(console: Console, text: str, style: str | None = None) -> None:
    """Print a text as it is: without markup, highlighting, or line breaks at the terminal's width."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def build_progress(console: Console, label: str = "{task.description}") -> Progress:
    """Build a progress bar with a label, a count, the remaining time and a status text (the field `status`).

    The bar disappears at the end, and the status is cropped at the terminal's width. In Jupyter, a bar needs
    ipywidgets; without it, only the lines of text are shown.
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
        disable=console.is_jupyter and find_spec("ipywidgets") is None,
    )
