"""One trial: the experiment with drawn values, trained with each seed. The test part is never asked."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.run import SilentView, resume_run, run_experiment
from mtl_core.training.history import EpochRecord

Report = Callable[[int, float], bool]
"""Is told an epoch, counted from 1, and its validation figure; says whether to end the trial."""


@dataclass(frozen=True)
class Job:
    """A trial to be trained.

    Attributes:
        number: The trial's number, counted from 0.
        file: The experiment with the trial's values.
        seeds: The seeds to train it with, one after the other.
    """

    number: int
    file: Path
    seeds: Sequence[int]

    def run(self, seed: int) -> Path:
        """The run directory of one seed, beside the file."""
        return self.file.with_name(f"{self.file.stem}-seed{seed}")


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        state: `complete`; `pruned`, ended early because others were better; `failed`, it could not be trained.
        scores: A validation figure a seed, that of the best epoch; only of a complete trial.
        best_epochs: The best epoch of each seed, counted from 1.
        seconds: Seconds of training.
        reason: Why a trial is not complete.
    """

    state: Literal["complete", "pruned", "failed"]
    scores: Sequence[float] = ()
    best_epochs: Sequence[int] = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def value(self) -> float | None:
        """The trial's figure, the mean over its seeds; None if it is not complete."""
        return sum(self.scores) / len(self.scores) if self.state == "complete" else None


class _PrunedError(Exception):
    """The trial is ended early."""


class _Watch(SilentView):
    """Reports each epoch, and ends the training when told so."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Report the epoch."""
        if record.score is not None and self._report(record.epoch, record.score):
            raise _PrunedError(f"{record.score:.4f} after epoch {record.epoch}")


def train_trial(job: Job, report: Report) -> Outcome:
    """Train a trial, go on with it where it was cut off, or read what it brought.

    Args:
        job: The trial.
        report: Is told the figures of the first seed, epoch by epoch.

    Returns:
        What became of it; a mistake that shows only with these values is a result, too.
    """
    scores, epochs, seconds = [], [], 0.0
    try:
        for seed in job.seeds:
            watch = _Watch(report) if seed == job.seeds[0] else SilentView()
            score, epoch, spent = _train(job.file, seed, RunDirectory(job.run(seed)), watch)
            scores.append(score)
            epochs.append(epoch)
            seconds += spent
    except _PrunedError as pruned:
        if job.run(job.seeds[0]).exists():  # it is taken back where the first epoch was enough
            shutil.rmtree(job.run(job.seeds[0]))
        return Outcome("pruned", reason=str(pruned))
    except MtlError as error:
        return Outcome("failed", reason=str(error))
    return Outcome("complete", scores, epochs, seconds)


def _train(file: Path, seed: int, run: RunDirectory, view: SilentView) -> tuple[float, int, float]:
    """Give the best epoch's figure, its number, and the seconds of training."""
    if not run.metrics.is_file():
        if run.config.is_file():
            resume_run(run.path, view, ask_test=False)
        else:
            if run.path.exists():  # cut off before anything stood in it
                shutil.rmtree(run.path)
            config = load_experiment(file, [f"seed={seed}", "training.refit=false"]).config
            run_experiment(config, run.path, view, ask_test=False)
    metrics = json.loads(run.metrics.read_text(encoding="utf-8"))
    score = metrics["model"]["best_score"]
    if score is None:
        raise MtlError(f"{run.path}: the figure that trials are compared by is undefined on the validation data")
    return float(score), int(metrics["model"]["best_epoch"]), float(metrics["timing"]["train_s"])
