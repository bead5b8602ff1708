"""Start-up time of the command line."""

import subprocess
from time import perf_counter

from benchmarks.local_data import find_mtl


def main() -> None:
    """Print the median of seven runs of each command."""
    for arguments in (["--help"], ["validate", "absa-sample"]):
        times = []
        for _ in range(7):
            start = perf_counter()
            subprocess.run([find_mtl(), *arguments], check=True, capture_output=True)
            times.append(perf_counter() - start)
        print(f"mtl {' '.join(arguments)}: {sorted(times)[3]:.2f} s")
