"""What was measured of tasks' influence on each other: figures, and what may follow from them."""
