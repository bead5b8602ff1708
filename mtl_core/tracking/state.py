"""What has been told to trackers, so that a resumed run tells nothing twice."""

import json
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError


@dataclass
class TrackingState:
    """The file `tracking.json` of a run.

    Attributes:
        id: Under which trackers know the run.
        epochs: Stage to how many of its epochs were told.
        finished: Whether the final figures were told.
        files: What trackers have put into the run directory.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    epochs: dict[str, int] = field(default_factory=dict)
    finished: bool = False
    files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "TrackingState":
        """Read the file; a new state, if there is none.

        Raises:
            MtlError: If it is damaged.
        """
        if not path.exists():
            return cls()
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise MtlError(f"{path}: damaged: {error}") from error

    def write(self, path: Path) -> None:
        """Write the file.

        Raises:
            MtlError: If the disk is full or the place cannot be written.
        """
        write_text_atomically(path, json.dumps(asdict(self)))
