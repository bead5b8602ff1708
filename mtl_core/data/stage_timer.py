"""Time per stage of a run."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class StageTimer:
    """Sums the seconds of each stage.

    Attributes:
        seconds: Stage name to seconds; 0 for a stage that was not measured.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time inside the block to a stage."""
        start = perf_counter()
        yield
        self.seconds[stage] += perf_counter() - start
