"""Do auxiliary tasks help? The same training without any, with each of them alone, and with all.

Validation data answers; the test part is never asked.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from mtl_core.config.load import Experiment, load_experiment
from mtl_core.errors import MtlError

NONE, ALL = "none", "all"


@dataclass(frozen=True)
class Trial:
    """One training of an ablation.

    Attributes:
        variant: `none`, `all`, or the name of the only auxiliary task.
        seed: The run's seed.
        fold: The fold that is validation data; None for the experiment's own split.
        overrides: What is set for it.
        path: Its run directory.
    """

    variant: str
    seed: int
    fold: int | None
    overrides: Sequence[str]
    path: Path


@dataclass(frozen=True)
class Outcome:
    """What one training brought.

    Attributes:
        score: The figure that epochs are chosen by, on validation data, in the best epoch.
        train_s: Seconds of training.
    """

    score: float
    train_s: float


@dataclass(frozen=True)
class VariantSummary:
    """What one variant brought, over seeds. With folds, a seed's score is the mean over its folds.

    Attributes:
        variant: Its name.
        scores: One a seed.
        mean: Their mean.
        spread: Their standard deviation; None for one seed.
        difference: Mean difference from `none`, seed by seed.
        difference_spread: Standard deviation of these differences; None for one seed.
        train_s: Seconds of a training, the median.
    """

    variant: str
    scores: list[float]
    mean: float
    spread: float | None
    difference: float
    difference_spread: float | None
    train_s: float


def plan(experiment: Experiment, overrides: Sequence[str], seeds: int, folds: int | None, out: Path) -> list[Trial]:
    """List the trainings: variants by seeds by folds.

    Args:
        experiment: The experiment, checked.
        overrides: What was set on the command line.
        seeds: How many seeds, counted up from the experiment's.
        folds: How many folds; None keeps the experiment's own split.
        out: The folder for all run directories.

    Raises:
        MtlError: If the experiment has no auxiliary task.
    """
    config = experiment.config
    names = [spec.task_name for spec in config.auxiliary]
    if not names:
        raise MtlError(f"{config.name}: has no `auxiliary:` tasks, so there is nothing to compare")
    variants = [NONE, *names, *([ALL] if len(names) > 1 else [])]
    trials = []
    for seed in range(config.seed, config.seed + seeds):
        for fold in range(folds) if folds else [None]:
            for variant in variants:
                silenced = [i for i, name in enumerate(names) if variant not in (ALL, name)]
                own = [*overrides, f"seed={seed}", "training.refit=false"]
                own += ["auxiliary=[]"] if variant == NONE else [f"auxiliary.{i}.weight=0" for i in silenced]
                if fold is not None:
                    own.append(f"split={{type: k-fold, folds: {folds}, fold: {fold}}}")
                name = f"{variant}-seed{seed}" + ("" if fold is None else f"-fold{fold}")
                trials.append(Trial(variant, seed, fold, own, out / name.replace("/", "_")))
    return trials


def run_trials(
    source: str,
    plugins: Sequence[str],
    trials: Sequence[Trial],
    jobs: int,
    done: Callable[[Trial, Outcome], None],
) -> dict[Path, Outcome]:
    """Train whatever is not trained yet.

    Args:
        source: The experiment's name or path.
        plugins: Further plugins.
        trials: What to train. One whose run directory is complete is only read.
        jobs: Processes at a time; with more than one, each computes in one thread.
        done: Is told of each training as it ends.
    """
    outcomes: dict[Path, Outcome] = {}
    for trial, outcome in _outcomes(source, plugins, trials, jobs):
        outcomes[trial.path] = outcome
        done(trial, outcome)
    return outcomes


def _outcomes(
    source: str, plugins: Sequence[str], trials: Sequence[Trial], jobs: int
) -> Iterator[tuple[Trial, Outcome]]:
    if jobs == 1:
        for trial in trials:
            yield trial, train_trial(source, plugins, trial)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures = [(trial, pool.submit(train_trial, source, plugins, trial)) for trial in trials]
        try:
            for trial, future in futures:
                yield trial, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def train_trial(source: str, plugins: Sequence[str], trial: Trial) -> Outcome:
    """Train one variant, go on with it, or read what it brought."""
    from mtl_core.runs.directory import RunDirectory
    from mtl_core.runs.run import resume_run, run_experiment

    run = RunDirectory(trial.path)
    if not run.metrics.is_file():
        if run.config.is_file():
            resume_run(trial.path)
        else:
            run_experiment(load_experiment(source, trial.overrides, plugins).config, trial.path)
    return _read(json.loads(run.metrics.read_text(encoding="utf-8")), trial)


def _read(metrics: dict[str, Any], trial: Trial) -> Outcome:
    score = metrics["model"]["best_score"]
    if score is None:
        raise MtlError(f"{trial.path}: has no validation figure; an ablation needs validation data")
    return Outcome(float(score), float(metrics["timing"]["train_s"]))


def summarise(trials: Sequence[Trial], outcomes: dict[Path, Outcome]) -> list[VariantSummary]:
    """Put seeds and folds together, and compare each variant with none, seed by seed."""
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    summaries: list[VariantSummary] = []
    for variant in dict.fromkeys(trial.variant for trial in trials):
        own = [trial for trial in trials if trial.variant == variant]
        scores = [mean(outcomes[trial.path].score for trial in own if trial.seed == seed) for seed in seeds]
        base = summaries[0].scores if summaries else scores
        gains = [score - before for score, before in zip(scores, base, strict=True)]
        several = len(seeds) > 1
        summaries.append(
            VariantSummary(
                variant,
                scores,
                mean(scores),
                stdev(scores) if several else None,
                mean(gains),
                stdev(gains) if several else None,
                median(outcomes[trial.path].train_s for trial in own),
            )
        )
    return summaries
