"""Training the same experiment many times, each time a little different: for ablations and comparisons."""

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
    """One training among many.

    Attributes:
        variant: What is trained.
        seed: The run's seed.
        fold: The fold that is held out; None for the experiment's own split.
        overrides: What is set for it.
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
    """Train whatever is not trained yet.

    Args:
        source: The experiment's name or path.
        plugins: Further plugins.
        trials: What to train, in this order.
        jobs: Processes at a time. Each computes in one thread, so figures do not depend on their number.
        done: Is told of each training as it ends, also of those that were complete before.

    Raises:
        MtlError: If a training cannot be done; the others stay as they are.
    """
    for trial in (finished := [trial for trial in trials if _is_complete(trial)]):
        done(trial)
    left = [trial for trial in trials if trial not in finished]
    for trial, _ in run_jobs(partial(_train, source, list(plugins)), left, jobs):
        done(trial)


def _is_complete(trial: Trial) -> bool:
    return RunDirectory(trial.path).metrics.is_file()


def _train(source: str, plugins: Sequence[str], trial: Trial) -> None:
    """Train one variant, or go on with it."""
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
    """Import what torch and Accelerate import only while they train, or a process's first training looks long."""
    import torch

    with suppress(ImportError):
        import torch.distributed.tensor
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])


def check_scored(path: Path) -> None:
    """Refuse a finished run that was scored on nothing.

    Raises:
        MtlError: If it kept no outputs.
    """
    run = RunDirectory(path)
    if not run.outputs.is_file():
        raise MtlError(f"{path}: {_why_no_outputs(run)}")


def _why_no_outputs(run: RunDirectory) -> str:
    if run.predictions.is_file():
        return (
            f"the run has no {run.outputs.name}, from which it would be compared: an earlier version of mtl-core "
            f"made it; make it again with `mtl run {run.config} --out NEW`"
        )
    return (
        "the run was scored on nothing: its data has neither a test part nor validation data; give it one "
        "(`split: {type: stratified, test: 0.2}`), or compare with --folds"
    )


def claim(folder: Path, plan: str, config: ExperimentConfig, trials: Sequence[Trial], noun: str) -> None:
    """Make a folder for trials, or go on in one that was made for trials of the same experiment.

    There may be more trials than before, or fewer: those that are there already are not trained again.

    Args:
        folder: The folder.
        plan: The name of the file in it that says what the folder is for.
        config: The experiment.
        trials: What is to be trained.
        noun: What the command makes, for messages.

    Raises:
        MtlError: If it holds something else.
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
            raise MtlError(f"{folder}: exists already, and not from this very {noun}; choose another --out")
        runs = {**old, **runs}
    else:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise MtlError(f"{folder}: cannot be made: {error.strerror}") from error
    text = json.dumps({"experiment": experiment, "runs": runs}, indent=2, ensure_ascii=False)
    write_text_atomically(folder / plan, text + "\n")


def _planned(path: Path) -> dict[str, Any] | None:
    """Read what a folder was made for; None if that cannot be told."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(found, dict) and isinstance(found.get("runs"), dict) and "experiment" in found
    return found if ours else None


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder. The system lets go of it however this process ends.

    Raises:
        MtlError: If another one is at work there.
    """
    lock = sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise MtlError(f"{folder}: another process is at work here") from error
        yield
    finally:
        lock.close()
