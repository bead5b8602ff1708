"""Accuracy of a packaged experiment by nested 5-fold cross-validation on the training file, over several seeds.

Each fold is held out as test data in turn. On the other four, the experiment does what it always does: it splits
off its own validation data, chooses its epoch, trains again on all four folds if it says `refit`. So no figure here
was measured on a sentence that had a say in training or selection.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.shared import PIPELINE, TRAIN, require_shared
from mtl_core.config.load import load_experiment

FOLDS = 5
SEEDS = (1, 2, 3, 4, 5)


def main() -> None:
    """Print mean and spread over seeds, a task a line, and keep all figures as JSON."""
    from mtl_core.runs.run import run_experiment

    require_shared()
    experiment = sys.argv[2] if len(sys.argv) > 2 else "absa-restaurants"
    extra = sys.argv[3:]
    found: dict[str, list[list[tuple[int, int, int]]]] = {}
    for seed in SEEDS:
        by_task: dict[str, list[tuple[int, int, int]]] = {}
        for fold in range(FOLDS):
            settings = [f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", f"seed={seed}",
                        f"split={{type: k-fold, folds: {FOLDS}, fold: {fold}, split_seed: 0, hold_out: test}}",
                        *extra]  # fmt: skip
            config = load_experiment(experiment, settings).config
            with tempfile.TemporaryDirectory() as folder:
                path = run_experiment(config, Path(folder) / "run").path
                test = json.loads((path / "metrics.json").read_text())["splits"]["test"]
            for task, score in {**test["tasks"], "overall": test["overall"]}.items():
                majority = round(score["majority_accuracy"] * score["n"])
                by_task.setdefault(task, []).append((score["n"], score["correct"], majority))
        for task, folds in by_task.items():
            found.setdefault(task, []).append(folds)
        print(f"seed {seed}: overall {_accuracy(by_task['overall'], 1):.4f}", flush=True)
    print(f"{experiment} {' '.join(extra)}: mean of {len(SEEDS)} seeds, ± standard deviation over seeds")
    for task, seeds in found.items():
        accuracies = [_accuracy(folds, 1) for folds in seeds]
        print(
            f"{task}: labels {sum(n for n, _, _ in seeds[0])}, majority {_accuracy(seeds[0], 2):.4f}, "
            f"network {statistics.mean(accuracies):.4f} ± {statistics.stdev(accuracies):.4f}"
        )


def _accuracy(folds: list[tuple[int, int, int]], column: int) -> float:
    """Pool folds: all their right answers over all their labels."""
    return sum(fold[column] for fold in folds) / sum(fold[0] for fold in folds)
