"""The progress bar of a training, with each task's figures."""

from collections.abc import Callable, Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mtl_core.training.history import EpochRecord

SHOWN_TASKS = 8
"""With more tasks than this, only the worst ones are shown."""
EVERY = 10
"""Batches between two updates of the figures."""


class ProgressView:
    """Draws the bar and prints a line an epoch. Use as a context manager.

    Args:
        console: Where to draw.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
        )
        self._bar: TaskID | None = None
        self._batches = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage_started(self, title: str) -> None:
        """Name the training."""
        self._console.print(title, style="bold", highlight=False)

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Start a bar."""
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        self._bar = self._progress.add_task(f"epoch {epoch}/{epochs}", total=batches, completed=done, figures="")
        self._batches = done

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Move the bar, and now and then the losses."""
        if self._bar is None:
            return
        self._batches += 1
        if self._batches % EVERY == 0:
            self._progress.update(self._bar, advance=EVERY, figures="loss " + _figures(means(), worst=max))

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Print what the epoch brought."""
        if self._bar is not None:
            self._progress.remove_task(self._bar)
            self._bar = None
        line = f"  epoch {record.epoch}: loss {_mean(record.losses):.3f}"
        if record.score is not None:
            figures = {
                name.removesuffix(".accuracy"): value
                for name, value in record.validation.items()
                if name.endswith(".accuracy") and not name.startswith("overall.")
            }
            line += f" | validation {record.score:.4f}{' (best so far)' if best else ''}"
            line += f" | {_figures(figures, worst=min)}" if figures else ""
        self._console.print(line, highlight=False, markup=False, no_wrap=True, overflow="ellipsis")


def _mean(losses: Mapping[str, float | None]) -> float:
    known = [value for value in losses.values() if value is not None]
    return sum(known) / len(known) if known else float("nan")


def _figures(values: Mapping[str, float | None], worst: Callable[..., float]) -> str:
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) > SHOWN_TASKS:
        ordered = sorted(known.items(), key=lambda pair: pair[1], reverse=worst is max)
        return "worst: " + "  ".join(f"{name} {value:.3f}" for name, value in ordered[:3])
    return "  ".join(f"{name} {value:.3f}" for name, value in known.items())
