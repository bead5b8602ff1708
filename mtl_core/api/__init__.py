"""The Python API: data in memory, models, runs and comparisons, without YAML and without plugin files."""
