"""Train variants of one experiment: the trials of ablations and comparisons."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.process_pool import run_jobs


@dataclass(frozen=True)
class Trial:
    """One training of a comparison.

    Attributes:
        variant: The name of the variant.
        seed: The seed of the run.
        fold: The index of the held-out fold; None for the experiment's own split.
        overrides: Its overrides.
        run_dir: Its run directory.
    """

    variant: str
    seed: int
    fold: int | None
    overrides: Sequence[str]
    run_dir: Path


def train_trials(
    source: str, plugins: Sequence[str], trials: Sequence[Trial], jobs: int, on_trial_end: Callable[[Trial], None]
) -> None:
    """Train all trials that are not complete yet.

    Args:
        source: The experiment's name or path.
        plugins: Additional plugins.
        trials: The trials, in the order of training.
        jobs: Maximum number of processes. Each computes in one thread, so scores do not depend on their number.
        on_trial_end: Called with each trial when it finishes, and with each trial that was already complete.

    Raises:
        MtlError: If a trial fails; finished trials are kept.
    """
    for trial in (finished_trials := [trial for trial in trials if _is_complete(trial)]):
        on_trial_end(trial)
    pending = [trial for trial in trials if trial not in finished_trials]
    for trial, _ in run_jobs(partial(_train_trial, source, list(plugins)), pending, jobs):
        on_trial_end(trial)


def _is_complete(trial: Trial) -> bool:
    return RunDirectory(trial.run_dir).metrics.is_file()


def _train_trial(source: str, plugins: Sequence[str], trial: Trial) -> None:
    """Train a trial, or resume it."""
    from mtl_core.runs.run import resume_run, run_experiment

    _preload_modules()
    try:
        if RunDirectory(trial.run_dir).config.is_file():
            resume_run(trial.run_dir)
        else:
            run_experiment(load_experiment(source, trial.overrides, plugins).config, trial.run_dir)
    except MtlError as error:
        raise MtlError(f"{trial.run_dir.name}: {error}") from error


def _preload_modules() -> None:
    """Import what torch and Accelerate import lazily, so that the first trial's time excludes the imports."""
    import torch

    with suppress(ImportError):
        import torch.distributed.tensor
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])


def check_has_outputs(path: Path) -> None:
    """Check that a finished run was scored.

    Raises:
        MtlError: If it has no stored outputs.
    """
    run = RunDirectory(path)
    if not run.outputs.is_file():
        raise MtlError(f"{path}: {_explain_missing_outputs(run)}")


def _explain_missing_outputs(run: RunDirectory) -> str:
    if run.predictions.is_file():
        return (
            f"the run has no {run.outputs.name}, which a comparison requires: an earlier version of mtl-core "
            f"made it; repeat it with `mtl run {run.config} --out NEW`"
        )
    return (
        "the run has no scores: its data has neither a test split nor validation data; add one "
        "(`split: {type: stratified, test: 0.2}`), or compare with --folds"
    )


def reserve_folder(
    folder: Path, plan_file: str, config: ExperimentConfig, trials: Sequence[Trial], command_noun: str
) -> None:
    """Create a folder for trials, or reuse one that was created for trials of the same experiment.

    The number of trials may differ from before: existing trials are not trained again.

    Args:
        folder: The folder.
        plan_file: The name of the file in it that stores the plan.
        config: The experiment.
        trials: The trials.
        command_noun: What the command creates, for messages.

    Raises:
        MtlError: If the folder contains something else.
    """
    runs = {trial.run_dir.name: list(trial.overrides) for trial in trials}
    experiment = dump_config(config)
    if folder.exists():
        existing_plan = _read_plan(folder / plan_file)
        existing_runs = {} if existing_plan is None else existing_plan["runs"]
        if (
            existing_plan is None
            or existing_plan["experiment"] != experiment
            or any(
                existing_runs.get(name, trial_overrides) != trial_overrides
                for name, trial_overrides in runs.items()
            )
        ):
            raise MtlError(f"{folder}: exists already, but not from the same {command_noun}; choose another --out")
        runs = {**existing_runs, **runs}
    else:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise MtlError(f"{folder}: cannot be created: {error.strerror}") from error
    text = json.dumps({"experiment": experiment, "runs": runs}, indent=2, ensure_ascii=False)
    write_text_atomically(folder / plan_file, text + "\n")


def _read_plan(path: Path) -> dict[str, Any] | None:
    """Read the plan of a folder; None if there is no valid plan."""
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_plan = isinstance(plan, dict) and isinstance(plan.get("runs"), dict) and "experiment" in plan
    return plan if is_plan else None


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
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
