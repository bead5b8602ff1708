"""The trials of ablations and comparisons: one training per variant, seed and fold."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import dump_config
from mtl_core.config.yaml_file import dump_inline_yaml
from mtl_core.errors import MtlError
from mtl_core.experiments.output_dir import Plan, reserve_folder
from mtl_core.experiments.process_pool import Report, run_jobs
from mtl_core.experiments.trial_provenance import check_trial_provenance
from mtl_core.plugins.active_registry import use_registry
from mtl_core.plugins.specs import SplitterSpec


@dataclass(frozen=True)
class Trial:
    """One training of a comparison.

    Attributes:
        variant: The name of the variant.
        seed: The seed of the run.
        fold: The index of the held-out fold; None for the experiment's own split.
        overrides: Its overrides.
        run_dir: Its run directory.
        independent: Whether every active task has a network of its own, all of which are trained at once.
    """

    variant: str
    seed: int
    fold: int | None
    overrides: Sequence[str]
    run_dir: Path
    independent: bool = False


def list_folds(n_folds: int | None) -> Sequence[int | None]:
    """Return the indices of the folds; a single None without cross-validation."""
    return range(n_folds) if n_folds else [None]


def build_fold_overrides(
    splitter: SplitterSpec, n_folds: int | None, fold: int | None, hold_out: str = ""
) -> list[str]:
    """Return the overrides that hold out a fold, as the split `hold_out` if given; none without folds.

    Raises:
        MtlError: If the experiment's own splitter excludes folds.
    """
    if fold is None:
        return []
    keys: dict[str, object] = {"type": "k-fold", "folds": n_folds, "fold": fold}
    if hold_out:
        keys["hold_out"] = hold_out
    keys.update(splitter.build_fold_keys())
    return [f"split={dump_inline_yaml(keys)}"]


def get_run_dir(output_dir: Path, variant: str, seed: int, fold: int | None) -> Path:
    """Return the run directory of a trial."""
    return output_dir / (f"{variant}-seed{seed}" + ("" if fold is None else f"-fold{fold}"))


def reserve_trials_folder(
    plan_path: Path, config: ExperimentConfig, trials: Sequence[Trial], command_noun: str
) -> None:
    """Create a folder for trials, or reuse one that was created for trials of the same experiment.

    The number of trials may differ from before: existing trials are not trained again.

    Args:
        plan_path: The file in the folder that stores the plan.
        config: The experiment.
        trials: The trials.
        command_noun: What the command creates, for messages.

    Raises:
        MtlError: If the folder contains something else.
    """
    runs = {trial.run_dir.name: list(trial.overrides) for trial in trials}
    plan: Plan = {"experiment": dump_config(config), "runs": runs}

    def merge_plans(existing_plan: Plan | None) -> Plan:
        existing_runs = (existing_plan or {}).get("runs")
        if (
            existing_plan is None
            or not isinstance(existing_runs, dict)
            or existing_plan.get("experiment") != plan["experiment"]
            or any(existing_runs.get(name, overrides) != overrides for name, overrides in runs.items())
        ):
            raise MtlError(f"exists already, but not from the same {command_noun}; choose another --out")
        return {**plan, "runs": {**existing_runs, **runs}}

    reserve_folder(plan_path, plan, merge_plans)


def train_trials(
    source: ExperimentSource,
    trials: Sequence[Trial],
    jobs: int,
    on_trial_end: Callable[[Trial], None],
    evaluate_test: bool = True,
) -> None:
    """Train all trials that are not complete yet.

    Args:
        source: The experiment.
        trials: The trials, in the order of training.
        jobs: Maximum number of processes. Each computes in one thread, so scores do not depend on their number.
        on_trial_end: Called with each trial when it finishes, and with each trial that was already complete.
        evaluate_test: Whether to evaluate the test split, for trials that report a result; trials that make a choice
            never do.

    Raises:
        MtlError: If a trial fails, or an existing trial read other data or was trained by another version of
            mtl-core; finished trials are kept.
    """
    finished_trials = [trial for trial in trials if RunDirectory(trial.run_dir).metrics.is_file()]
    pending = [trial for trial in trials if trial not in finished_trials]
    if pending:
        config = source.load(pending[0].overrides).config
        check_trial_provenance([trial.run_dir for trial in trials], config)
    for trial in finished_trials:
        on_trial_end(trial)
    train = partial(_train_trial, source, evaluate_test)
    for trial, _ in run_jobs(train, pending, min(jobs, len(pending))):
        on_trial_end(trial)


def _train_trial(source: ExperimentSource, evaluate_test: bool, trial: Trial, _: Report) -> None:
    """Train a trial, or resume it."""
    from mtl_core.runs.run import resume_run, run_experiment

    _preload_modules()
    try:
        if trial.independent:
            _train_networks(source, evaluate_test, trial)
        elif RunDirectory(trial.run_dir).config.is_file():
            resume_run(trial.run_dir, evaluate_test=evaluate_test)
        else:
            experiment = source.load(trial.overrides)
            with use_registry(experiment.registry):
                run_experiment(
                    experiment.config,
                    trial.run_dir,
                    evaluate_test=evaluate_test,
                    experiment_path=experiment.path,
                )
    except MtlError as error:
        raise MtlError(f"{trial.run_dir.name}: {error}") from error


def _train_networks(source: ExperimentSource, evaluate_test: bool, trial: Trial) -> None:
    """Train the independent networks of a trial."""
    from mtl_core.runs.batched_networks.run import run_networks

    experiment = source.load(trial.overrides)
    with use_registry(experiment.registry):
        run_networks(experiment.config, trial.run_dir, evaluate_test=evaluate_test, experiment_path=experiment.path)


def _preload_modules() -> None:
    """Import what torch and Accelerate import lazily, so that the first trial's time excludes the imports."""
    import torch

    with suppress(ImportError):
        import torch.distributed.tensor
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
