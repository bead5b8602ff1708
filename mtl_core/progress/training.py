"""The progress bar of a training, with the losses and metrics of each task."""

from collections.abc import Callable, Mapping
from typing import Self

from rich.console import Console
from rich.progress import TaskID

from mtl_core.artifacts.history import EpochRecord
from mtl_core.progress.bars import build_progress, print_plain

MAX_TASKS = 8
"""Maximum number of tasks that are all shown; of more tasks, only the worst are shown."""
MAX_NAME_CHARACTERS = 5
"""Maximum length of a task's name, in characters, so that five tasks fit 80 columns."""
UPDATE_INTERVAL = 10
"""Number of batches between two updates of the losses."""


class ProgressCallback:
    """Progress display of a training: a bar, and one line per epoch. Use as a context manager.

    Args:
        console: The console.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = build_progress(console)
        self._bar: TaskID | None = None
        self._batches = 0
        self._has_legend = False

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_stage_start(self, title: str) -> None:
        """Print the name of the stage."""
        print_plain(self._console, title, style="bold")
        self._has_legend = False

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        """Start the bar of an epoch."""
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        self._bar = self._progress.add_task(
            f"epoch {epoch}/{epochs}", total=batches, completed=completed_batches, status=""
        )
        self._batches = completed_batches

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Advance the bar, and update the losses every few batches."""
        if self._bar is None:
            return
        self._batches += 1
        if self._batches % UPDATE_INTERVAL == 0:
            self._progress.update(
                self._bar, advance=UPDATE_INTERVAL, status="loss " + _format_values(means(), worst=max)
            )

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Print the losses and metrics of the epoch."""
        if self._bar is not None:
            self._progress.remove_task(self._bar)
            self._bar = None
        line = f"  epoch {record.epoch}: loss {_compute_mean(record.losses):.3f}"
        if record.score is not None:
            if not self._has_legend:  # a refit has no validation data, so no best epoch
                print_plain(self._console, "  (* is the best epoch so far)")
                self._has_legend = True
            metrics = _get_first_metrics(record.validation)
            line += f" | validation {record.score:.4f}{'*' if best else ' '}"
            line += f" | {_format_values(metrics, worst=min)}" if metrics else ""
        print_plain(self._console, line)


def _get_first_metrics(validation: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the first metric of each task, or the mean of many tasks."""
    metrics: dict[str, float | None] = {}
    for name, value in validation.items():
        task = name.rpartition(".")[0]
        if task != "overall" and name != "selection.score":  # printed as the score of the epoch
            metrics.setdefault(task, value)
    return metrics


def _compute_mean(losses: Mapping[str, float | None]) -> float:
    known_losses = [value for value in losses.values() if value is not None]
    return sum(known_losses) / len(known_losses) if known_losses else float("nan")


def _format_values(values: Mapping[str, float | None], worst: Callable[..., float]) -> str:
    """Format the values of tasks, with truncated names; of many tasks, only the worst ones."""
    known_values = {name: value for name, value in values.items() if value is not None}
    title = ""
    if len(known_values) > MAX_TASKS:
        ordered = sorted(known_values.items(), key=lambda pair: pair[1], reverse=worst is max)
        known_values, title = dict(ordered[:3]), "worst: "
    return title + " ".join(
        f"{name[:MAX_NAME_CHARACTERS]} {value:.2f}".replace(" 0.", " .") for name, value in known_values.items()
    )
