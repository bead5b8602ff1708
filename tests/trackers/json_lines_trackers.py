"""Plugin file with trackers for tests: one that writes JSON lines, and variants that fail on purpose."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker
from pydantic import NonNegativeInt

from mtl_core import TrackedRun, TrackerSpec, hookimpl


class JsonLines(TrackerSpec):
    """Tracker that appends one line of JSON per call."""

    type: Literal["lines"] = "lines"
    fails_at: NonNegativeInt | None = None
    """The step at which `log` raises an error; with 0, `start` raises it."""
    dies_at: NonNegativeInt | None = None
    """The step after which the tracker interrupts the process, in the first process of a run only."""

    def build(self, run: TrackedRun) -> GeneralTracker:
        return JsonLinesTracker(self, run)


class SecondJsonLines(JsonLines):
    """A second tracker type with the same behaviour."""

    type: Literal["second"] = "second"  # type: ignore[assignment]


class MissingPackages(JsonLines):
    """Tracker that requires packages that are not installed."""

    type: Literal["needy"] = "needy"  # type: ignore[assignment]

    def list_required_packages(self) -> Mapping[str, str]:
        return {"json": "", "no_such_module": "no-such-package", "nor_this": "other"}


class JsonLinesTracker(GeneralTracker):  # type: ignore[misc]
    name = "lines"
    requires_logging_directory = False
    tracker = None

    def __init__(self, spec: JsonLines, run: TrackedRun) -> None:
        super().__init__()
        self.spec, self.run = spec, run
        self.path = run.path / f"{spec.type}.jsonl"
        self.resumed = self.path.exists()

    def write(self, **fields: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def start(self) -> None:
        if self.spec.fails_at == 0:
            raise RuntimeError("no such server")
        os.environ["LINES_WERE_HERE"] = "1"
        os.environ["LINES_WERE_BEFORE"] = "changed"
        self.write(began=self.run.id, name=self.run.name, experiment=self.run.experiment)

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        self.write(config=dict(values))

    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        assert os.environ["LINES_WERE_HERE"] == "1"
        os.environ["LINES_WERE_LATE"] = "1"
        if self.spec.fails_at == step:
            raise RuntimeError("the server is gone")
        self.write(step=step, **values)
        if self.spec.dies_at == step and not self.resumed:
            raise KeyboardInterrupt

    def finish(self) -> None:
        self.write(complete=self.run.complete)


def read_tracker_lines(run: Path, name: str = "lines") -> list[dict[str, Any]]:
    """Return the lines that a tracker of this file wrote."""
    return [json.loads(line) for line in (run / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@hookimpl
def mtl_trackers() -> list[type[TrackerSpec]]:
    return [JsonLines, SecondJsonLines, MissingPackages]
