"""Five single-task networks compared with one network for all five aspects, and with equal weights.

5 folds of the training file, 5 seeds, 175 trials; nothing is selected on the held-out fold. The same command
resumes an interrupted benchmark: `python -m benchmarks single_or_multi_task [FOLDER] [JOBS]`.
"""

import subprocess
import sys

from benchmarks.local_data import PIPELINE, TRAIN, require_shared
from benchmarks.measurement import find_mtl, format_settings


def main() -> None:
    """Run the comparison, which prints its results."""
    require_shared()
    folder = sys.argv[2] if len(sys.argv) > 2 else "runs/one-or-five"
    jobs = ["--jobs", sys.argv[3]] if len(sys.argv) > 3 else []
    options = format_settings(f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", "training.refit=false")
    options += ["--seeds", "5", "--folds", "5", "--out", folder, *jobs]
    subprocess.run([find_mtl(), "compare", "absa-restaurants", *options], check=True)
