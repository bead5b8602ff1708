"""Ablation of auxiliary tasks: train without any, with each one separately, and with all.

Scores come from the validation split; the test split is never evaluated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mtl_core.artifacts.comparison import Comparison
from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.experiment_source import ExperimentSource
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
                *build_fold_overrides(config.split, folds, fold),
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
    source: ExperimentSource,
    trials: Sequence[Trial],
    jobs: int,
    on_trial_end: Callable[[Trial, TrialScore], None],
) -> dict[Path, TrialScore]:
    """Run every trial that is not complete yet.

    Args:
        source: The experiment.
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

    train_trials(source, trials, jobs, collect_score, evaluate_test=False)
    return scores_by_run


def _read_score(trial: Trial) -> TrialScore:
    metrics = read_json(RunDirectory(trial.run_dir).metrics)
    score = metrics["model"]["best_score"]
    if score is None:
        raise MtlError(f"{trial.run_dir}: has no validation score; an ablation needs validation data")
    return TrialScore(float(score), float(metrics["timing"]["train_s"]))


def compare_trials(
    config: ExperimentConfig, plugins: Sequence[str], trials: Sequence[Trial], margins: Mapping[str, float], out: Path
) -> Comparison:
    """Compare the validation scores of all variants with those of `none`.

    Args:
        config: The validated experiment.
        plugins: Additional plugins.
        trials: The finished trials.
        margins: Task to the largest difference that makes no practical difference, see `parse_margins`.
        out: The folder of all run directories.

    Raises:
        MtlError: If a run is missing or damaged, or runs cannot be compared.
    """
    from mtl_core.experiments.compare.comparability import check_same_provenance
    from mtl_core.experiments.compare.compared_scores import VariantOutputs
    from mtl_core.experiments.compare.run_outputs import read_run
    from mtl_core.experiments.compare.summary_text import collect_disclaimers, summarize
    from mtl_core.experiments.compare.variant_scores import VariantRuns, compare_variants

    runs = {
        trial.run_dir: read_run(trial.run_dir, RunDirectory.open(trial.run_dir).load_experiment(plugins))
        for trial in trials
    }
    provenance_notes = check_same_provenance(list(runs))
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    folds = list(dict.fromkeys(trial.fold for trial in trials))
    entries = []
    for variant, overrides in build_variants(config).items():
        runs_by_seed = [
            [runs[trial.run_dir] for trial in trials if (trial.variant, trial.seed) == (variant, seed)]
            for seed in seeds
        ]
        outputs = [[run.tasks for run in fold_runs] for fold_runs in runs_by_seed]
        repetitions = [[run] for fold_runs in runs_by_seed for run in fold_runs]
        entries.append(VariantRuns(VariantOutputs(variant, "variant", outputs), overrides, repetitions))
    comparison = compare_variants(entries, config.training.select, margins, config.seed, NONE, None, out)
    comparison = replace(comparison, experiment=config.name, seeds=seeds, folds=None if folds == [None] else len(folds))
    summary = summarize(comparison, collect_disclaimers(runs.values()))
    return replace(comparison, summary=[*summary, *provenance_notes])
