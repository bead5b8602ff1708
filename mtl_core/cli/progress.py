"""The progress bar of a training, with the losses and metrics of each task."""

from collections.abc import Callable, Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from mtl_core.training.history import EpochRecord

SHOWN_TASKS = 8
"""Maximum number of tasks that are all shown; of more tasks, only the worst are shown."""
SHOWN_LETTERS = 5
"""Maximum length of a task's name, in characters, so that five tasks fit 80 columns."""
EVERY = 10
"""Number of batches between two updates of the losses."""


class ProgressView:
    """Progress display of a training: a bar, and one line per epoch. Use as a context manager.

    Args:
        console: The console.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True, overflow="crop", ratio=1)),
            console=console,
            transient=True,
            expand=True,
        )
        self._bar: TaskID | None = None
        self._batches = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage_started(self, title: str) -> None:
        """Print the name of the stage."""
        self._console.print(f"{title} (* is the best epoch so far)", style="bold", highlight=False)

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Start the bar of an epoch."""
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        self._bar = self._progress.add_task(f"epoch {epoch}/{epochs}", total=batches, completed=done, figures="")
        self._batches = done

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Advance the bar, and update the losses every few batches."""
        if self._bar is None:
            return
        self._batches += 1
        if self._batches % EVERY == 0:
            self._progress.update(self._bar, advance=EVERY, figures="loss " + _figures(means(), worst=max))

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Print the losses and metrics of the epoch."""
        if self._bar is not None:
            self._progress.remove_task(self._bar)
            self._bar = None
        line = f"  epoch {record.epoch}: loss {_mean(record.losses):.3f}"
        if record.score is not None:
            figures = _first_figures(record.validation)
            line += f" | validation {record.score:.4f}{'*' if best else ' '}"
            line += f" | {_figures(figures, worst=min)}" if figures else ""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _first_figures(validation: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the first metric of each task."""
    figures: dict[str, float | None] = {}
    for name, value in validation.items():
        task = name.rpartition(".")[0]
        if task != "overall":
            figures.setdefault(task, value)
    return figures


def _mean(losses: Mapping[str, float | None]) -> float:
    known = [value for value in losses.values() if value is not None]
    return sum(known) / len(known) if known else float("nan")


def _figures(values: Mapping[str, float | None], worst: Callable[..., float]) -> str:
    """Format the values of tasks, with truncated names; of many tasks, only the worst ones."""
    known = {name: value for name, value in values.items() if value is not None}
    title = ""
    if len(known) > SHOWN_TASKS:
        ordered = sorted(known.items(), key=lambda pair: pair[1], reverse=worst is max)
        known, title = dict(ordered[:3]), "worst: "
    return title + " ".join(
        f"{name[:SHOWN_LETTERS]} {value:.2f}".replace(" 0.", " .") for name, value in known.items()
    )
