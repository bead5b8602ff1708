"""Checks of trackers: track runs in a temporary folder, and watch for side effects."""

import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mtl_core.specs import TrackerSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import RandomStateError, expect, fail
from mtl_core.testing.randomness import left_alone
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import shown
from mtl_core.tracking.environment import KeptEnvironment
from mtl_core.tracking.tracked_run import TrackedRun

CONFIG: Mapping[str, str | int | float | bool] = {
    "name": "a trial",
    "seed": 2**62,
    "optimizer.lr": 0.1,
    "training.refit": False,
    "tasks.größe.kind.classes": ", ".join(str(number) for number in range(100)),
    **{f"tasks.{number}.head.type": "linear" for number in range(300)},
}
FIGURES = {"learning_rate": 0.1, "train/größe.loss": 1e-9, **{f"validation/{n}.mae": n / 7 for n in range(1_050)}}
STEPS = 3


def tracker_checks(spec: TrackerSpec, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.tracker_checks`."""

    @cache
    def trial() -> _Trial:
        return _Trial(spec)

    checks = spec_checks(spec)
    for name, what, test in (
        ("tracker", "`build` returns one of Accelerate's trackers, and writes nothing.", lambda: _built(spec)),
        ("whole-run", "It tracks a run with a large config and many metrics.", lambda: trial().went_well("a run")),
        ("resumed-run", "It resumes an interrupted run.", lambda: trial().went_well("the run, resumed")),
        ("next-run", "It can track a second run in one process.", lambda: trial().went_well("another run")),
        ("own-place", "It writes nothing into the current folder.", lambda: trial().kept_to_its_place()),
        ("offline", "It connects to no other machine.", lambda: trial().reached_nobody()),
        ("seed", "It draws from no global generator.", lambda: trial().drew_nothing()),
        ("global-state", "It changes no hooks, streams, signals, loggers.", lambda: trial().left_nothing_changed()),
    ):
        checks.add(name, what, test)
    return checks.without(without)


def _built(spec: TrackerSpec) -> None:
    from accelerate.tracking import GeneralTracker

    with tempfile.TemporaryDirectory() as folder:
        tracker = spec.build(TrackedRun("trial", Path(folder), "1"))
        good = isinstance(tracker, GeneralTracker)
        expect(good, f"expected a GeneralTracker of Accelerate, found {shown(tracker)}")
        left = [path.name for path in Path(folder).iterdir()]
        expect(not left, f"expected nothing to be written before `start`, found {left}")


def _follow(spec: TrackerSpec, run: TrackedRun, steps: range) -> None:
    """Track a run as the core does, but without catching errors."""
    environment = KeptEnvironment()
    try:
        with environment.watching():
            tracker = spec.build(run)
            tracker.start()
            tracker.store_init_configuration(dict(CONFIG))
            for step in steps:
                tracker.log(dict(FIGURES), step=step)
            tracker.finish()
    finally:
        environment.restore()


class _Trial:
    """Tracks an interrupted run, its continuation, and another run; records errors and side effects."""

    def __init__(self, spec: TrackerSpec) -> None:
        self.failures: dict[str, Exception] = {}
        self.drawn: RandomStateError | None = None
        with tempfile.TemporaryDirectory() as outer, _connections() as self.reached:
            here, runs = Path(outer) / "here", Path(outer) / "runs"
            first = TrackedRun("trial", runs / "first", "first")
            second = TrackedRun("trial", runs / "second", "second", complete=True)
            for folder in (here, first.path, second.path):
                folder.mkdir(parents=True)
            self.before = _global_state()
            with chdir(here):
                self._try("a run", spec, first, range(STEPS))
                first.complete = True
                try:
                    with left_alone():  # not above: imports may draw random numbers
                        self._try("the run, resumed", spec, first, range(STEPS, STEPS + 2))
                except RandomStateError as error:
                    self.drawn = error
                self._try("another run", spec, second, range(STEPS))
            self.after = _global_state()
            self.litter = [path.name for path in here.iterdir()]

    def _try(self, what: str, spec: TrackerSpec, run: TrackedRun, steps: range) -> None:
        try:
            _follow(spec, run, steps)
        except Exception as error:  # noqa: BLE001  the check reports it
            self.failures[what] = error

    def went_well(self, what: str) -> None:
        if what in self.failures:
            error = self.failures[what]
            fail(f"expected {what} to be tracked, found {type(error).__name__}: {error}")

    def kept_to_its_place(self) -> None:
        expect(not self.litter, f"expected nothing in the current folder, found {', '.join(self.litter)}")

    def reached_nobody(self) -> None:
        expect(not self.reached, f"expected no connection, found one to {', '.join(map(str, self.reached))}")

    def drew_nothing(self) -> None:
        if self.drawn is not None:
            fail(str(self.drawn))

    def left_nothing_changed(self) -> None:
        changed = [name for name, value in self.before.items() if self.after[name] != value]
        expect(not changed, f"expected an unchanged global state, found changed: {', '.join(changed)}")


def _global_state() -> dict[str, Any]:
    return {
        "sys.exit": sys.exit,
        "sys.excepthook": sys.excepthook,
        "sys.stdout": sys.stdout,
        "sys.stderr": sys.stderr,
        "signal handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "the root logger": (logging.root.level, list(logging.root.handlers)),
        "the current folder": Path.cwd(),
    }


@contextmanager
def _connections() -> Iterator[list[Any]]:
    """Block connections to other machines, and yield the list of their addresses."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"localhost", "127.0.0.1", "::1"}:
            tried.append(address)
            raise OSError("this check has no network")
        connect(self, address)

    socket.socket.connect = watched  # type: ignore[method-assign, assignment]
    try:
        yield tried
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
