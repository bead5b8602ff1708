"""The description of a run that a tracker receives."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class TrackedRun:
    """The run that a tracker logs.

    Attributes:
        experiment: The name of the experiment.
        path: The run directory.
        id: Unique id of the run; it does not change when the run is resumed.
        complete: Whether all results exist; False during the run and after a failed run.
    """

    experiment: str
    path: Path
    id: str
    complete: bool = False

    @property
    def name(self) -> str:
        """The display name of the run: the name of its directory."""
        return self.path.resolve().name
