"""A comparison with two parallel trials and the same comparison with sequential trials; scores must be equal."""

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measurement import format_seconds, run_mtl
from benchmarks.reference import measure_reference

SEEDS = 5


def main() -> None:
    """Time both, and print the ratio."""
    reference = measure_reference()
    seconds, results = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for jobs in (1, 2):
            out = Path(folder) / str(jobs)
            options = ("--seeds", str(SEEDS), "--jobs", str(jobs), "--out", out)
            seconds[jobs] = run_mtl("compare", "topic-sentiment", *options)
            results.append(_load_results(out))
    assert results[0] == results[1], "the scores depend on the number of processes"
    sequential, parallel = (format_seconds(seconds[jobs], reference) for jobs in (1, 2))
    print(
        f"{3 * SEEDS} trials: sequential {sequential}, two in parallel {parallel}; "
        f"{seconds[1] / seconds[2]:.2f} times as fast, with identical scores"
    )


def _load_results(out: Path) -> list[dict[str, Any]]:
    """Return the results without times."""
    comparison = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    time_keys = {"train_s", "inference_ms"}
    return [{key: value for key, value in one.items() if key not in time_keys} for one in comparison["variants"]]
