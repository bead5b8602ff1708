"""The built-in experiment trackers, which log the metrics of a run. All of them work offline."""
