"""Short measurements of auxiliary tasks' costs: with 18 steps per task, they take longer than tests' trainings."""

import contextlib
from collections.abc import Iterator
from unittest.mock import patch

from mtl_core.runs import auxiliary_cost


@contextlib.contextmanager
def measure_costs_quickly() -> Iterator[None]:
    """Time two steps per auxiliary task. Tests assert that times are recorded, never what they are."""
    with patch.object(auxiliary_cost, "N_BATCHES", 2), patch.object(auxiliary_cost, "N_REPEATS", 1):
        yield
