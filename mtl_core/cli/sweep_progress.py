"""The progress display of a sweep: a bar, and one line per finished trial."""

from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import TaskID

from mtl_core.config.sweep import ParamValue
from mtl_core.experiments.sweep.trial_record import BASELINE_TRIAL, SampledTrial, TrialRecord
from mtl_core.progress.bars import build_progress, print_plain


class SweepProgress:
    """Progress display of a sweep. Use as a context manager.

    Args:
        console: The console.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = build_progress(console, "trials")
        self._bar: TaskID | None = None
        self._running: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_sweep_start(self, n_trials: int, n_finished: int, metric: str) -> None:
        """Start the bar."""
        finished_note = f", {n_finished} of them already finished" if n_finished else ""
        self._console.print(
            f"{n_trials} trials{finished_note}, compared by {metric} on validation data (* is the best so far)",
            style="bold",
            highlight=False,
            markup=False,
        )
        self._bar = self._progress.add_task("", total=max(n_trials, n_finished), completed=n_finished, status="")

    def on_trial_start(self, trial: SampledTrial) -> None:
        """Show the trial as running."""
        self._running[trial.number] = f"{trial.number}: starts"
        self._update()

    def on_epoch_end(self, number: int, epoch: int, score: float) -> None:
        """Show the score of the epoch."""
        self._running[number] = f"{number}: {score:.4f} after epoch {epoch}"
        self._update()

    def on_trial_end(self, record: TrialRecord, best: TrialRecord | None) -> None:
        """Print the outcome of the trial."""
        self._running.pop(record.number, None)
        if self._bar is not None:
            self._progress.advance(self._bar)
        self._update()
        marker = "*" if best is not None and best.number == record.number else " "
        values = "the experiment's own values" if record.number == BASELINE_TRIAL else format_params(record.params)
        print_plain(self._console, f"  trial {record.number}: {_describe_outcome(record, marker)} | {values}")

    def _update(self) -> None:
        if self._bar is not None:
            self._progress.update(self._bar, status=", ".join(self._running.values()))


def _describe_outcome(record: TrialRecord, marker: str) -> str:
    outcome = record.outcome
    if outcome is None or outcome.state == "failed":
        reason = outcome.reason.partition("\n")[0] if outcome is not None else ""
        return f"failed: {reason}"
    if record.value is None:
        return f"pruned at {outcome.reason}"
    return f"{record.value:.4f}{marker} in {outcome.seconds:.1f} s"


def format_params(values: Mapping[str, ParamValue]) -> str:
    """Format sampled values in one line, numbers with four digits."""
    return ", ".join(f"{key}={format_param(value)}" for key, value in values.items())


def format_param(value: ParamValue) -> str:
    """Format a sampled value for display."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
