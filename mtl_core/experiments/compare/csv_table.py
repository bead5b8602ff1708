"""Format a comparison as a CSV table."""

import csv
import io

from mtl_core.artifacts.comparison import Comparison
from mtl_core.experiments.compare.formatting import group_by_task


def format_csv(comparison: Comparison) -> str:
    """Return a CSV table with one line per task and variant."""
    buffer = io.StringIO()
    columns = ["task", "metric", "n", "variant", "kind", "mean", "low", "high"]
    columns += ["difference", "difference_low", "difference_high"]
    columns += ["discordant", "p_value", "adjusted_p_value", "verdict"]
    seeds = [f"seed_{seed}" for seed in comparison.seeds]
    writer = csv.DictWriter(buffer, [*columns, *seeds], restval="", lineterminator="\n")
    writer.writeheader()
    for task, variants in group_by_task(comparison):
        measured_task = comparison.tasks.get(task)
        for variant, estimate in variants:
            row = {
                "task": task,
                "metric": measured_task.metric if measured_task else "",
                "n": measured_task.n if measured_task else "",
                "variant": variant.name,
                "kind": variant.kind,
                "mean": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                **dict(zip(seeds, estimate.seeds, strict=True)),
            }
            if variant.differences_from_reference is not None:
                difference = variant.differences_from_reference[task]
                row |= {
                    "difference": difference.mean,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    "discordant": difference.discordant,
                    "p_value": difference.p_value,
                    "adjusted_p_value": difference.adjusted_p_value,
                    "verdict": difference.verdict,
                }
            writer.writerow(row)
    return buffer.getvalue()
