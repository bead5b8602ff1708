"""Effect of auxiliary tasks on aspect polarity: each family, and all families combined, compared with none.

5-fold cross-validation on the training file, 3 seeds, the same number of epochs for all: the accuracy of the last
epoch on the held-out fold, so that no epoch is selected on that fold. The same command resumes an interrupted
benchmark: `python -m benchmarks auxiliary [FOLDER] [JOBS]`.
"""

import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median, stdev

from benchmarks.local_data import PIPELINE, TRAIN, require_shared
from benchmarks.measurement import format_seconds
from benchmarks.reference import measure_reference
from mtl_core.config.experiment_source import ExperimentFile
from mtl_core.experiments.ablate import TrialScore, run_trials
from mtl_core.experiments.trials import Trial

FOLDS = 5
SEEDS = (1, 2, 3)
FAMILIES: dict[str, list[str]] = {
    "none": [],
    "statistical": [
        "{type: word-frequency, weight: 0.1}",
        f"{{type: part-of-speech, pipeline: {PIPELINE}, weight: 0.1}}",
        "{type: sentence-length, weight: 0.1}",
    ],
    "selective": ["{type: opinion-words, weight: 0.2}"],
    "supervised": ["{type: aspect-presence, weight: 0.2}"],
    "unsupervised": ["{type: masked-tokens, weight: 0.1}", "{type: bag-of-words, weight: 0.1}"],
}
FAMILIES["all"] = [task for tasks in FAMILIES.values() for task in tasks]


def main() -> None:
    """Run the missing trials, and print the table."""
    require_shared()
    reference = measure_reference()
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="auxiliary-"))
    folder.mkdir(parents=True, exist_ok=True)
    trials = [
        Trial(family, seed, fold, _build_settings(seed, fold, family), folder / f"{family}-{seed}-{fold}")
        for seed in SEEDS
        for fold in range(FOLDS)
        for family in FAMILIES
    ]

    def on_trial_end(trial: Trial, outcome: TrialScore) -> None:
        score = _load_last_score(trial.run_dir)
        print(f"{trial.run_dir.name}: {score:.4f} in {format_seconds(outcome.train_s, reference)}", flush=True)

    outcomes = run_trials(
        ExperimentFile("absa-restaurants"), trials, int(sys.argv[3]) if len(sys.argv) > 3 else 1, on_trial_end
    )
    print("| auxiliary tasks | accuracy | compared with none | training | ratio |\n| --- | --- | --- | --- | --- |")
    scores = {family: [_compute_seed_score(trials, family, seed) for seed in SEEDS] for family in FAMILIES}
    times = {
        family: median(outcomes[trial.run_dir].train_s for trial in trials if trial.variant == family)
        for family in FAMILIES
    }
    for family in FAMILIES:
        differences = [score - base for score, base in zip(scores[family], scores["none"], strict=True)]
        print(
            f"| {family} | {mean(scores[family]):.4f} ± {stdev(scores[family]):.4f} | "
            f"{mean(differences):+.4f} ± {stdev(differences):.4f} | {format_seconds(times[family], reference)} | "
            f"{times[family] / times['none']:.2f} |"
        )


def _compute_seed_score(trials: Sequence[Trial], family: str, seed: int) -> float:
    """Compute the mean over folds of the last epoch's accuracy."""
    return mean(_load_last_score(trial.run_dir) for trial in trials if (trial.variant, trial.seed) == (family, seed))


def _build_settings(seed: int, fold: int, family: str) -> list[str]:
    return [
        f"data.train={TRAIN}",
        f"encoder.pipeline={PIPELINE}",
        f"seed={seed}",
        "training.refit=false",
        f"split={{type: k-fold, folds: {FOLDS}, fold: {fold}}}",
        f"auxiliary=[{', '.join(FAMILIES[family])}]",
    ]


def _load_last_score(run: Path) -> float:
    with (run / "history.csv").open(encoding="utf-8") as lines:
        return float(list(csv.DictReader(lines))[-1]["validation.overall.accuracy"])
