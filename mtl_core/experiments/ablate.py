"""Ablation of auxiliary tasks: train without any, with each one separately, and with all.

Scores come from the validation split; the test split is never evaluated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev

from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.trials import Trial, build_fold_overrides, get_run_dir, list_folds, train_trials

NONE, ALL = "none", "all"


@dataclass(frozen=True)
class TrialScore:
    """The score and the cost of one training.

    Attributes:
        score: The selection score on the validation split, in the best epoch.
        train_s: Training time in seconds.
    """

    score: float
    train_s: float


@dataclass(frozen=True)
class AblationSummary:
    """The result of one variant over all seeds. With folds, the score of a seed is the mean over its folds.

    Attributes:
        variant: The name of the variant.
        scores: One score per seed.
        mean: The mean of the scores.
        std: The standard deviation of the scores; None for one seed.
        difference: Mean of the paired differences from `none`, one per seed.
        difference_std: Standard deviation of these differences; None for one seed.
        train_s: Median training time in seconds.
    """

    variant: str
    scores: list[float]
    mean: float
    std: float | None
    difference: float
    difference_std: float | None
    train_s: float


def plan_trials(
    experiment: Experiment, overrides: Sequence[str], seeds: int, folds: int | None, out: Path
) -> list[Trial]:
    """List one trial per combination of seed, fold and variant.

    Args:
        experiment: The validated experiment.
        overrides: Config overrides from the command line.
        seeds: Number of seeds, counted up from the seed of the experiment.
        folds: Number of folds; None keeps the split of the experiment.
        out: The folder for all run directories.

    Raises:
        MtlError: If the experiment has no auxiliary task.
    """
    config = experiment.config
    return [
        Trial(
            variant,
            seed,
            fold,
            [
                *overrides,
                f"seed={seed}",
                "training.refit=false",
                *variant_overrides,
                *build_fold_overrides(folds, fold),
            ],
            get_run_dir(out, variant.replace("/", "_"), seed, fold),
        )
        for seed in range(config.seed, config.seed + seeds)
        for fold in list_folds(folds)
        for variant, variant_overrides in build_variants(config).items()
    ]


def build_variants(config: ExperimentConfig) -> dict[str, list[str]]:
    """Return the variants by name, each defined by its overrides.

    Raises:
        MtlError: If the experiment has no auxiliary task.
    """
    names = [spec.task_name for spec in config.auxiliary]
    if not names:
        raise MtlError(f"{config.name}: has no `auxiliary:` tasks, so there is nothing to compare")
    # A single task has no interactions.
    common_overrides = [] if config.interactions is None else ["interactions=null"]
    variants = {NONE: ["auxiliary=[]", *common_overrides]}
    for variant in [*names, *([ALL] if len(names) > 1 else [])]:
        disabled = [index for index, name in enumerate(names) if variant not in (ALL, name)]
        variants[variant] = [*(f"auxiliary.{index}.weight=0" for index in disabled), *common_overrides]
    return variants


def run_trials(
    source: str,
    plugins: Sequence[str],
    trials: Sequence[Trial],
    jobs: int,
    on_trial_end: Callable[[Trial, TrialScore], None],
) -> dict[Path, TrialScore]:
    """Run every trial that is not complete yet.

    Args:
        source: Name or path of the experiment.
        plugins: Additional plugins to load.
        trials: The trials. A trial whose run directory is complete is only read.
        jobs: Number of parallel processes; each uses one thread.
        on_trial_end: Called with each trial and its score when the trial ends.

    Returns:
        Run directory to score.
    """
    scores_by_run: dict[Path, TrialScore] = {}

    def collect_score(trial: Trial) -> None:
        scores_by_run[trial.run_dir] = _read_score(trial)
        on_trial_end(trial, scores_by_run[trial.run_dir])

    train_trials(source, plugins, trials, jobs, collect_score, evaluate_test=False)
    return scores_by_run


def _read_score(trial: Trial) -> TrialScore:
    metrics = read_json(RunDirectory(trial.run_dir).metrics)
    score = metrics["model"]["best_score"]
    if score is None:
        raise MtlError(f"{trial.run_dir}: has no validation score; an ablation needs validation data")
    return TrialScore(float(score), float(metrics["timing"]["train_s"]))


def summarize_trials(trials: Sequence[Trial], scores_by_run: dict[Path, TrialScore]) -> list[AblationSummary]:
    """Aggregate scores over seeds and folds, and compare each variant with `none` per seed."""
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    summaries: list[AblationSummary] = []
    for variant in dict.fromkeys(trial.variant for trial in trials):
        variant_trials = [trial for trial in trials if trial.variant == variant]
        scores = [
            mean(scores_by_run[trial.run_dir].score for trial in variant_trials if trial.seed == seed) for seed in seeds
        ]
        baseline = summaries[0].scores if summaries else scores
        differences = [score - baseline_score for score, baseline_score in zip(scores, baseline, strict=True)]
        has_several_seeds = len(seeds) > 1
        summaries.append(
            AblationSummary(
                variant,
                scores,
                mean(scores),
                stdev(scores) if has_several_seeds else None,
                mean(differences),
                stdev(differences) if has_several_seeds else None,
                median(scores_by_run[trial.run_dir].train_s for trial in variant_trials),
            )
        )
    return summaries
