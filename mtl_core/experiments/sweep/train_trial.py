"""Train one trial: the experiment with sampled values, once per seed. The test split is never evaluated."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.artifacts.history import EpochRecord
from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.process_pool import Report
from mtl_core.experiments.sweep.trial_record import TrialOutcome
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.training.callback import NullCallback


@dataclass(frozen=True)
class TrialJob:
    """The input of a worker: one trial.

    Attributes:
        number: The number of the trial, counted from 0.
        config_path: The experiment file with the trial's values.
        seeds: The seeds, trained one after another.
    """

    number: int
    config_path: Path
    seeds: Sequence[int]

    def get_run_dir(self, seed: int) -> Path:
        """Return the run directory of one seed, next to the experiment file."""
        return self.config_path.with_name(f"{self.config_path.stem}-seed{seed}")


class _PrunedError(Exception):
    """The trial is pruned."""


class _PruningCallback(NullCallback):
    """Callback that reports each epoch, and stops the training if the trial is pruned."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Report the epoch."""
        if record.score is not None and self._report((record.epoch, record.score)):
            raise _PrunedError(f"{record.score:.4f} after epoch {record.epoch}")


def train_trial(job: TrialJob, report: Report) -> TrialOutcome:
    """Train a trial, resume it, or read its result if it is complete.

    Args:
        job: The trial.
        report: Called after each epoch of the first seed with its number and score; returns whether to prune the
            trial.

    Returns:
        The outcome; an `MtlError` with these values is a failed trial.
    """
    scores, epochs, seconds = [], [], 0.0
    try:
        for seed in job.seeds:
            callback = _PruningCallback(report) if seed == job.seeds[0] else NullCallback()
            score, epoch, seed_seconds = _train_seed(
                job.config_path, seed, RunDirectory(job.get_run_dir(seed)), callback
            )
            scores.append(score)
            epochs.append(epoch)
            seconds += seed_seconds
    except _PrunedError as pruned:
        if job.get_run_dir(job.seeds[0]).exists():  # it is already removed if the first epoch was pruned
            shutil.rmtree(job.get_run_dir(job.seeds[0]))
        return TrialOutcome("pruned", reason=str(pruned))
    except MtlError as error:
        return TrialOutcome("failed", reason=str(error))
    return TrialOutcome("complete", scores, epochs, seconds)


def _train_seed(config_path: Path, seed: int, run: RunDirectory, callback: NullCallback) -> tuple[float, int, float]:
    """Train with one seed; return the best epoch's score, its number, and the training time in seconds."""
    if not run.metrics.is_file():
        if run.config.is_file():
            resume_run(run.path, callback, evaluate_test=False)
        else:
            if run.path.exists():  # interrupted before the first file was written
                shutil.rmtree(run.path)
            config = load_experiment(config_path, [f"seed={seed}", "training.refit=false"]).config
            run_experiment(config, run.path, callback, evaluate_test=False)
    metrics = read_json(run.metrics)
    score = metrics["model"]["best_score"]
    if score is None:
        raise MtlError(f"{run.path}: the metric that compares trials is undefined on the validation data")
    return float(score), int(metrics["model"]["best_epoch"]), float(metrics["timing"]["train_s"])
