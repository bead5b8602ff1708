"""Task interactions: measured influence of tasks on each other, task grouping and suggestions."""
