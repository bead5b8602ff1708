"""Tox21 and ToxCast: mean ROC-AUC of whole runs on random splits, their time in R, and their memory."""

import json
import os
import tempfile
from pathlib import Path
from statistics import mean

from benchmarks.local_data import MOLECULES, require_shared
from benchmarks.measurement import format_seconds, measure_mtl
from benchmarks.reference import measure_reference

SEEDS = (0, 1, 2)
FILES = {"tox21": "tox21.csv.gz", "toxcast": "toxcast_data.csv.gz"}


def main() -> None:
    """Run each experiment with several seeds; the first run also computes fingerprints and descriptors."""
    require_shared()
    reference = measure_reference()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MTL_CACHE"] = str(Path(folder) / "cache")
        for name, file in FILES.items():
            scores: dict[str, list[float]] = {"test": [], "validation": []}
            for seed in SEEDS:
                run = Path(folder) / f"{name}-{seed}"
                cost = measure_mtl(
                    "run", name, "--set", f"data.train={MOLECULES / file}", "--seed", str(seed), "--out", run
                )
                metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
                for split, values in scores.items():
                    values.append(metrics["splits"][split]["mean"]["roc_auc"]["value"])
                print(
                    f"{name}, seed {seed}: mean ROC-AUC {scores['test'][-1]:.4f} (test), "
                    f"{scores['validation'][-1]:.4f} (validation), {format_seconds(cost.seconds, reference)}, "
                    f"{cost.cpu_seconds:.1f} s of processor time, at most {cost.megabytes:.0f} MB resident",
                    flush=True,
                )
            print(f"{name}, mean of {len(SEEDS)} seeds: {mean(scores['test']):.4f} (test)")
