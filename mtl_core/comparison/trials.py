"""Train variants of one experiment: the trials of ablations and comparisons."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mtl_core.atomic import write_text_atomically
from mtl_core.comparison.workers import run_jobs
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.errors import MtlError
from mtl_core.runs.directory import RunDirectory


@dataclass(frozen=True)
class Trial:
    """One training of a comparison.

    Attributes:
        variant: The name of the variant.
        seed: The seed of the run.
        fold: The index of the held-out fold; None for the experiment's own split.
        overrides: Its overrides.
        path: Its run directory.
    """

    variant: str
    seed: int
    fold: int | None
    overrides: Sequence[str]
    path: Path


def train_all(
    source: str, plugins: Sequence[str], trials: Sequence[Trial], jobs: int, done: Callable[[Trial], None]
) -> None:
    """Train all trials that are not complete yet.

    Args:
        source: The experiment's name or path.
        plugins: Additional plugins.
        trials: The trials, in the order of training.
        jobs: Maximum number of processes. Each computes in one thread, so scores do not depend on their number.
        done: Called with each trial when it finishes, and with each trial that was already complete.

    Raises:
        MtlError: If a trial fails; finished trials are kept.
    """
    for trial in (finished := [trial for trial in trials if _is_complete(trial)]):
        done(trial)
    left = [trial for trial in trials if trial not in finished]
    for trial, _ in run_jobs(partial(_train, source, list(plugins)), left, jobs):
        done(trial)


def _is_complete(trial: Trial) -> bool:
    return RunDirectory(trial.path).metrics.is_file()


def _train(source: str, plugins: Sequence[str], trial: Trial) -> None:
    """Train a trial, or resume it."""
    from mtl_core.runs.run import resume_run, run_experiment

    _warm_up()
    try:
        if RunDirectory(trial.path).config.is_file():
            resume_run(trial.path)
        else:
            run_experiment(load_experiment(source, trial.overrides, plugins).config, trial.path)
    except MtlError as error:
        raise MtlError(f"{trial.path.name}: {error}") from error


def _warm_up() -> None:
    """Import what torch and Accelerate import lazily, so that the first trial's time excludes the imports."""
    import torch

    with suppress(ImportError):
        import torch.distributed.tensor
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])


def check_scored(path: Path) -> None:
    """Check that a finished run was scored.

    Raises:
        MtlError: If it has no stored outputs.
    """
    run = RunDirectory(path)
    if not run.outputs.is_file():
        raise MtlError(f"{path}: {_why_no_outputs(run)}")


def _why_no_outputs(run: RunDirectory) -> str:
    if run.predictions.is_file():
        return (
            f"the run has no {run.outputs.name}, which a comparison requires: an earlier version of mtl-core "
            f"made it; repeat it with `mtl run {run.config} --out NEW`"
        )
    return (
        "the run has no scores: its data has neither a test split nor validation data; add one "
        "(`split: {type: stratified, test: 0.2}`), or compare with --folds"
    )


def claim(folder: Path, plan: str, config: ExperimentConfig, trials: Sequence[Trial], noun: str) -> None:
    """Create a folder for trials, or reuse one that was created for trials of the same experiment.

    The number of trials may differ from before: existing trials are not trained again.

    Args:
        folder: The folder.
        plan: The name of the file in it that stores the plan.
        config: The experiment.
        trials: The trials.
        noun: What the command creates, for messages.

    Raises:
        MtlError: If the folder contains something else.
    """
    runs = {trial.path.name: list(trial.overrides) for trial in trials}
    experiment = dump_config(config)
    if folder.exists():
        known = _planned(folder / plan)
        old = {} if known is None else known["runs"]
        if (
            known is None
            or known["experiment"] != experiment
            or any(old.get(name, own) != own for name, own in runs.items())
        ):
            raise MtlError(f"{folder}: exists already, but not from the same {noun}; choose another --out")
        runs = {**old, **runs}
    else:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise MtlError(f"{folder}: cannot be created: {error.strerror}") from error
    text = json.dumps({"experiment": experiment, "runs": runs}, indent=2, ensure_ascii=False)
    write_text_atomically(folder / plan, text + "\n")


def _planned(path: Path) -> dict[str, Any] | None:
    """Read the plan of a folder; None if there is no valid plan."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and isinstance(found.get("runs"), dict) and "experiment" in found
    return found if ours else None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes. The operating system releases the lock when this process ends.

    Raises:
        MtlError: If another process holds the lock.
    """
    lock = sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise MtlError(f"{folder}: another process is using this folder") from error
        yield
    finally:
        lock.close()
