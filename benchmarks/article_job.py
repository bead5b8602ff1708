"""Wall time and peak memory of the article's experiment in one process: parse, train 3 epochs, evaluate."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.local_data import PIPELINE, TRAIN, find_mtl, require_shared


def main() -> None:
    """Run the experiment and print time and memory."""
    require_shared()
    with tempfile.TemporaryDirectory() as folder:
        # The training file replaces the test file, so that the amount of evaluation is similar to the article's.
        command = [find_mtl(), "run", "absa-article", "--out", str(Path(folder) / "run"), "--set", f"data.train={TRAIN}",
                   "--set", f"data.test={TRAIN}", "--set", f"encoder.pipeline={PIPELINE}"]  # fmt: skip
        start = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = perf_counter() - start
    scale = 1 if sys.platform == "darwin" else 1024
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 1e6
    print(f"article's experiment: {seconds:.1f} s, at most {memory:.0f} MB resident")
