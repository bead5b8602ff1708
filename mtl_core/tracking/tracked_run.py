"""What a tracker is told about the run that it follows."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class TrackedRun:
    """The run that a tracker follows.

    Attributes:
        experiment: The experiment's name.
        path: The run directory.
        id: Tells the run from all others; it stays the same when the run is resumed.
        complete: Whether all results are there. False until the end, and in the end if the run failed.
    """

    experiment: str
    path: Path
    id: str
    complete: bool = False

    @property
    def name(self) -> str:
        """What people know the run by: the name of its directory."""
        return self.path.resolve().name
