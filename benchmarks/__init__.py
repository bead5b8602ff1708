"""What docs/benchmarks.md and docs/results.md report, measured again: `python -m benchmarks [NAME ...]`."""
