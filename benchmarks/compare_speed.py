"""A comparison with two parallel trials and the same comparison with sequential trials; scores must be equal."""

import json
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.local_data import find_mtl

SEEDS = 5


def main() -> None:
    """Time both, and print the ratio."""
    seconds, results = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for jobs in (1, 2):
            out = Path(folder) / str(jobs)
            start = perf_counter()
            subprocess.run(
                [
                    find_mtl(),
                    "compare",
                    "topic-sentiment",
                    "--seeds",
                    str(SEEDS),
                    "--jobs",
                    str(jobs),
                    "--out",
                    out,
                ],
                check=True,
                capture_output=True,
            )
            seconds[jobs] = perf_counter() - start
            results.append(_load_results(out))
    assert results[0] == results[1], "the scores depend on the number of processes"
    print(
        f"{3 * SEEDS} trials: sequential {seconds[1]:.1f} s, two in parallel {seconds[2]:.1f} s; "
        f"{seconds[1] / seconds[2]:.2f} times as fast, with identical scores"
    )


def _load_results(out: Path) -> list[dict[str, Any]]:
    """Return the results without times."""
    comparison = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    time_keys = {"train_s", "inference_ms"}
    return [{key: value for key, value in one.items() if key not in time_keys} for one in comparison["variants"]]
