"""Five networks of one aspect each against one network for all five, and against equal weights.

5 folds of the training file, 5 seeds, 175 trainings; nothing is chosen by the fold that is scored. Where it
stopped, it goes on: `python -m benchmarks one_or_five [FOLDER] [JOBS]`.
"""

import subprocess
import sys

from benchmarks.shared import PIPELINE, TRAIN, mtl, require_shared


def main() -> None:
    """Run the comparison, which prints its tables and words."""
    require_shared()
    folder = sys.argv[2] if len(sys.argv) > 2 else "runs/one-or-five"
    jobs = ["--jobs", sys.argv[3]] if len(sys.argv) > 3 else []
    settings = [f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", "training.refit=false"]
    sets = [part for setting in settings for part in ("--set", setting)]
    command = [mtl(), "compare", "absa-restaurants", *sets, "--seeds", "5", "--folds", "5", "--out", folder, *jobs]
    subprocess.run(command, check=True)
