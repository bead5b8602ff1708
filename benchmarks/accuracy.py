"""Accuracy of a packaged experiment by nested 5-fold cross-validation on the training file, over several seeds.

Each fold is the test data once. On the other four folds, the experiment runs as usual: it splits off validation
data, selects the epoch, and trains again on all four folds with `refit`. So no score is computed on a sentence that
was used for training or selection.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.local_data import PIPELINE, TRAIN, require_shared
from mtl_core.config.load import load_experiment

FOLDS = 5
SEEDS = (1, 2, 3, 4, 5)


def main() -> None:
    """Print the mean and the standard deviation over seeds per task."""
    from mtl_core.runs.run import run_experiment

    require_shared()
    experiment = sys.argv[2] if len(sys.argv) > 2 else "absa-restaurants"
    extra_settings = sys.argv[3:]
    folds_by_task: dict[str, list[list[tuple[int, int, int]]]] = {}
    for seed in SEEDS:
        by_task: dict[str, list[tuple[int, int, int]]] = {}
        for fold in range(FOLDS):
            settings = [f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", f"seed={seed}",
                        f"split={{type: k-fold, folds: {FOLDS}, fold: {fold}, split_seed: 0, hold_out: test}}",
                        *extra_settings]  # fmt: skip
            config = load_experiment(experiment, settings).config
            with tempfile.TemporaryDirectory() as folder:
                path = run_experiment(config, Path(folder) / "run").path
                test = json.loads((path / "metrics.json").read_text())["splits"]["test"]
            for task, score in {**test["tasks"], "overall": test["overall"]}.items():
                majority = round(score["majority_accuracy"] * score["n"])
                by_task.setdefault(task, []).append((score["n"], score["correct"], majority))
        for task, folds in by_task.items():
            folds_by_task.setdefault(task, []).append(folds)
        print(f"seed {seed}: overall {_compute_accuracy(by_task['overall'], 1):.4f}", flush=True)
    print(f"{experiment} {' '.join(extra_settings)}: mean of {len(SEEDS)} seeds, ± standard deviation over seeds")
    for task, seeds in folds_by_task.items():
        accuracies = [_compute_accuracy(folds, 1) for folds in seeds]
        print(
            f"{task}: labels {sum(n for n, _, _ in seeds[0])}, majority {_compute_accuracy(seeds[0], 2):.4f}, "
            f"network {statistics.mean(accuracies):.4f} ± {statistics.stdev(accuracies):.4f}"
        )


def _compute_accuracy(folds: list[tuple[int, int, int]], column: int) -> float:
    """Compute the pooled accuracy: correct predictions of all folds divided by labels of all folds."""
    return sum(fold[column] for fold in folds) / sum(fold[0] for fold in folds)
