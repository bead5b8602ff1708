"""Run benchmarks by name; without a name, run all short ones."""

import importlib
import sys

SHORT = (
    "reference",
    "command_line",
    "labels",
    "article_job",
    "training_loop",
    "python_api",
    "many_tasks",
    "task_count",
    "architectures",
    "weightings",
    "torchjd_speed",
    "prediction",
    "compare_speed",
    "image_batches",
    "task_groups",
)
LONG = (
    "accuracy",
    "auxiliary",
    "single_or_multi_task",
    "serving",
    "table_memory",
    "rating",
    "transformer_speed",
    "street_scenes",
    "molecules",
    "mutation",
    "comparison_coverage",
)

if __name__ == "__main__":
    # A long benchmark receives the remaining arguments.
    names = sys.argv[1:2] if sys.argv[1:] and sys.argv[1] in LONG else sys.argv[1:] or SHORT
    for name in names:
        if name not in (*SHORT, *LONG):
            sys.exit(f"unknown benchmark '{name}' (known: {', '.join((*SHORT, *LONG))})")
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
