"""The progress display of a sweep: a bar, and one line per finished trial."""

from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from mtl_core.sweeps.space import Drawn
from mtl_core.sweeps.study import OWN, Draw, Row


class SweepProgress:
    """Progress display of a sweep. Use as a context manager.

    Args:
        console: The console.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("trials"),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[running]}", table_column=Column(no_wrap=True, overflow="crop", ratio=1)),
            console=console,
            transient=True,
            expand=True,
        )
        self._bar: TaskID | None = None
        self._running: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begun(self, trials: int, done: int, figure: str) -> None:
        """Start the bar."""
        found = f", {done} of them already finished" if done else ""
        self._console.print(
            f"{trials} trials{found}, compared by {figure} on validation data (* is the best so far)",
            style="bold",
            highlight=False,
            markup=False,
        )
        self._bar = self._progress.add_task("", total=max(trials, done), completed=done, running="")

    def trial_started(self, draw: Draw) -> None:
        """Show the trial as running."""
        self._running[draw.number] = f"{draw.number}: starts"
        self._show()

    def epoch_done(self, number: int, epoch: int, score: float) -> None:
        """Show the score of the epoch."""
        self._running[number] = f"{number}: {score:.4f} after epoch {epoch}"
        self._show()

    def trial_done(self, row: Row, best: Row | None) -> None:
        """Print the outcome of the trial."""
        self._running.pop(row.number, None)
        if self._bar is not None:
            self._progress.advance(self._bar)
        self._show()
        star = "*" if best is not None and best.number == row.number else " "
        values = "the experiment's own values" if row.number == OWN else short_values(row.values)
        self._console.print(
            f"  trial {row.number}: {_said(row, star)} | {values}", highlight=False, markup=False, soft_wrap=True
        )

    def _show(self) -> None:
        if self._bar is not None:
            self._progress.update(self._bar, running=", ".join(self._running.values()))


def _said(row: Row, star: str) -> str:
    outcome = row.outcome
    if outcome is None or outcome.state == "failed":
        reason = outcome.reason.partition("\n")[0] if outcome is not None else ""
        return f"failed: {reason}"
    if row.value is None:
        return f"pruned at {outcome.reason}"
    return f"{row.value:.4f}{star} in {outcome.seconds:.1f} s"


def short_values(values: Mapping[str, Drawn]) -> str:
    """Format sampled values in one line, numbers with four digits."""
    return ", ".join(f"{key}={short(value)}" for key, value in values.items())


def short(value: Drawn) -> str:
    """Format a sampled value for display."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
