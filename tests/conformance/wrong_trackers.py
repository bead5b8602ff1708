"""A tracker: correct, or with the fault that `wrong` names."""

import contextlib
import random
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker

from mtl_core import TrackedRun, TrackerSpec


class WrongTracker(TrackerSpec):
    """Lines of a text file."""

    type: Literal["wrong-tracker"] = "wrong-tracker"
    wrong: str = ""
    """Its fault."""

    def build(self, run: TrackedRun) -> Any:
        return print if self.wrong == "tracker" else _Lines(run.path / "lines.txt", self.wrong)


class _Lines(GeneralTracker):  # type: ignore[misc]
    name = "lines"
    requires_logging_directory = False
    tracker = None
    started_paths: set[Path] = set()

    def __init__(self, path: Path, wrong: str) -> None:
        super().__init__()
        self.path, self.wrong = path, wrong

    def start(self) -> None:
        self.lines = self.path.open("x" if self.wrong == "resumed-run" else "a", encoding="utf-8")
        match self.wrong:
            case "next-run":
                self.started_paths.add(self.path)
                if len(self.started_paths) > 1:
                    self.started_paths.clear()
                    raise RuntimeError("this process has another run already")
            case "working-directory":
                Path("lines").mkdir(exist_ok=True)
            case "offline":
                with contextlib.suppress(OSError):
                    socket.create_connection(("192.0.2.1", 80), timeout=0.1)
            case "seed":
                random.random()
            case "global-state":
                sys.excepthook = lambda *_: None

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        if self.wrong == "complete-run" and any(len(str(value)) > 250 for value in values.values()):
            raise ValueError("too long")
        self.lines.write(f"{dict(values)}\n")

    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        self.lines.write(f"{step} {dict(values)}\n")

    def finish(self) -> None:
        self.lines.close()
