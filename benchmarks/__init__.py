"""The measurements of docs/benchmarks.md and docs/results.md: `python -m benchmarks [NAME ...]`."""
