"""Do auxiliary tasks help? The same training without any, with each of them alone, and with all.

Validation data answers; the test part is never asked.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev

from mtl_core.comparison.trials import Trial, train_all
from mtl_core.config.load import Experiment
from mtl_core.errors import MtlError
from mtl_core.runs.directory import RunDirectory

NONE, ALL = "none", "all"


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
                if config.interactions is not None:  # a task that is left alone has none
                    own.append("interactions=null")
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
        jobs: Processes at a time; each computes in one thread.
        done: Is told of each training as it ends.
    """
    outcomes: dict[Path, Outcome] = {}

    def read(trial: Trial) -> None:
        outcomes[trial.path] = _read(trial)
        done(trial, outcomes[trial.path])

    train_all(source, plugins, trials, jobs, read)
    return outcomes


def _read(trial: Trial) -> Outcome:
    metrics = json.loads(RunDirectory(trial.path).metrics.read_text(encoding="utf-8"))
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
