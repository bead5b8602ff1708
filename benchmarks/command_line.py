"""Start-up time of the command line."""

from statistics import median

from benchmarks.measurement import format_seconds, run_mtl
from benchmarks.reference import measure_reference


def main() -> None:
    """Print the median of seven runs of each command."""
    reference = measure_reference()
    for arguments in (["--help"], ["validate", "absa-sample"]):
        seconds = median(run_mtl(*arguments) for _ in range(7))
        print(f"mtl {' '.join(arguments)}: {format_seconds(seconds, reference)}")
