"""A plugin file with trackers of somebody's own: one that writes lines, and some that go wrong on purpose."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker
from pydantic import NonNegativeInt

from mtl_core import TrackedRun, TrackerSpec, hookimpl


class Lines(TrackerSpec):
    """A line of JSON for everything that it is told."""

    type: Literal["lines"] = "lines"
    fails_at: NonNegativeInt | None = None
    """The step at which it raises an error; at 0 it cannot be started."""
    dies_at: NonNegativeInt | None = None
    """The step after which the whole process is interrupted, once."""

    def build(self, run: TrackedRun) -> GeneralTracker:
        return LinesTracker(self, run)


class Second(Lines):
    """The same once more."""

    type: Literal["second"] = "second"  # type: ignore[assignment]


class Needy(Lines):
    """Needs what is not there."""

    type: Literal["needy"] = "needy"  # type: ignore[assignment]

    def needs(self) -> Mapping[str, str]:
        return {"json": "", "no_such_module": "no-such-package", "nor_this": "other"}


class LinesTracker(GeneralTracker):
    name = "lines"
    requires_logging_directory = False
    tracker = None

    def __init__(self, spec: Lines, run: TrackedRun) -> None:
        super().__init__()
        self.spec, self.run = spec, run
        self.path = run.path / f"{spec.type}.jsonl"
        self.resumed = self.path.exists()

    def write(self, **what: Any) -> None:
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(what) + "\n")

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


def told(run: Path, name: str = "lines") -> list[dict[str, Any]]:
    """What a tracker of this file was told."""
    return [json.loads(line) for line in (run / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@hookimpl
def mtl_trackers() -> list[type[TrackerSpec]]:
    return [Lines, Second, Needy]
