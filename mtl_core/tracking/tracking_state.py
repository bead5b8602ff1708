"""State of the trackers, so that a resumed run logs nothing twice."""

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
        id: The id of the run in the trackers.
        epochs: Mapping of stage to the number of logged epochs.
        finished: Whether the final metrics are logged.
        files: Names of the files that trackers created in the run directory.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    epochs: dict[str, int] = field(default_factory=dict)
    finished: bool = False
    files: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "TrackingState":
        """Read the file; return a new state if the file does not exist.

        Raises:
            MtlError: If the file is damaged.
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
            MtlError: If the disk is full or the path is not writable.
        """
        write_text_atomically(path, json.dumps(asdict(self)))
