"""Training of `street-scenes`: its time in R, and the accuracy of the four detectors, of one network and of four.

`python -m benchmarks street_scenes [SEEDS]` trains one network per seed and prints the mean presence accuracy on test
scenes. `mtl compare street-scenes` compares it with four single-task networks.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import mean

from benchmarks.measurement import format_seconds, run_mtl
from benchmarks.reference import measure_reference
from mtl_street_scenes.classes import KINDS

TARGET_R, TARGET_ACCURACY = 50, 0.95


def main() -> None:
    """Print the training time and the accuracies of each seed."""
    seeds = range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for seed in seeds:
        reference = measure_reference()
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            run_mtl("run", "street-scenes", "--seed", str(seed), "--out", run)
            metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        accuracies = {kind: metrics["splits"]["test"]["tasks"][kind]["accuracy"] for kind in KINDS}
        details = ", ".join(f"{kind} {accuracy:.3f}" for kind, accuracy in accuracies.items())
        train_s = metrics["timing"]["train_s"]
        print(f"seed {seed}: mean accuracy {mean(accuracies.values()):.4f} ({details}), target {TARGET_ACCURACY}")
        print(f"  training {format_seconds(train_s, reference)}, target {TARGET_R} R; load {os.getloadavg()[0]:.1f}")
