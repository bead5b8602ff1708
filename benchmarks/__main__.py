"""Run benchmarks by name, or all but the long ones."""

import importlib
import sys

SHORT = ("command_line", "labels", "article_job", "training_loop", "many_tasks", "architectures", "prediction")
LONG = ("accuracy", "auxiliary", "table_memory")

if __name__ == "__main__":
    for name in sys.argv[1:] or SHORT:
        if name not in (*SHORT, *LONG):
            sys.exit(f"unknown benchmark '{name}' (known: {', '.join((*SHORT, *LONG))})")
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
