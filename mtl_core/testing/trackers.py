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

from mtl_core.plugins.specs import TrackerSpec
from mtl_core.testing.checks import Checks, expect, fail
from mtl_core.testing.rng import RandomStateError, preserves_rng_state
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value
from mtl_core.tracking.environment_snapshot import EnvironmentSnapshot
from mtl_core.tracking.tracked_run import TrackedRun

CONFIG: Mapping[str, str | int | float | bool] = {
    "name": "a trial",
    "seed": 2**62,
    "optimizer.lr": 0.1,
    "training.refit": False,
    "tasks.größe.kind.classes": ", ".join(str(number) for number in range(100)),
    **{f"tasks.{number}.head.type": "linear" for number in range(300)},
}
METRICS = {"learning_rate": 0.1, "train/größe.loss": 1e-9, **{f"validation/{n}.mae": n / 7 for n in range(1_050)}}
STEPS = 3


def tracker_checks(spec: TrackerSpec, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.tracker_checks`."""

    @cache
    def track_runs() -> _TrackedRuns:
        return _TrackedRuns(spec)

    checks = spec_checks(spec)
    for name, description, test in (
        (
            "tracker",
            "`build` returns one of Accelerate's trackers, and writes nothing.",
            lambda: _check_build(spec),
        ),
        (
            "complete-run",
            "It tracks a run with a large config and many metrics.",
            lambda: track_runs().check_tracked("a run"),
        ),
        ("resumed-run", "It resumes an interrupted run.", lambda: track_runs().check_tracked("the run, resumed")),
        (
            "next-run",
            "It can track a second run in one process.",
            lambda: track_runs().check_tracked("another run"),
        ),
        (
            "working-directory",
            "It writes nothing into the current folder.",
            lambda: track_runs().check_working_directory(),
        ),
        ("offline", "It connects to no other machine.", lambda: track_runs().check_no_network_access()),
        ("seed", "It draws from no global generator.", lambda: track_runs().check_rng_state()),
        (
            "global-state",
            "It changes no hooks, streams, signals, loggers.",
            lambda: track_runs().check_global_state(),
        ),
    ):
        checks.add(name, description, test)
    return checks.skip_checks(skip)


def _check_build(spec: TrackerSpec) -> None:
    from accelerate.tracking import GeneralTracker

    with tempfile.TemporaryDirectory() as folder:
        tracker = spec.build(TrackedRun("trial", Path(folder), "1"))
        is_tracker = isinstance(tracker, GeneralTracker)
        expect(is_tracker, f"expected a GeneralTracker of Accelerate, found {describe_value(tracker)}")
        written_files = [path.name for path in Path(folder).iterdir()]
        expect(not written_files, f"expected nothing to be written before `start`, found {written_files}")


def _track_run(spec: TrackerSpec, run: TrackedRun, steps: range) -> None:
    """Track a run as the core does, but without catching errors."""
    environment = EnvironmentSnapshot()
    try:
        with environment.record_changes():
            tracker = spec.build(run)
            tracker.start()
            tracker.store_init_configuration(dict(CONFIG))
            for step in steps:
                tracker.log(dict(METRICS), step=step)
            tracker.finish()
    finally:
        environment.restore()


class _TrackedRuns:
    """Tracks an interrupted run, its continuation, and another run; records errors and side effects."""

    def __init__(self, spec: TrackerSpec) -> None:
        self.failures: dict[str, Exception] = {}
        self.rng_error: RandomStateError | None = None
        with tempfile.TemporaryDirectory() as temporary_dir, _block_connections() as self.connections:
            working_dir, runs_dir = Path(temporary_dir) / "here", Path(temporary_dir) / "runs"
            first = TrackedRun("trial", runs_dir / "first", "first")
            second = TrackedRun("trial", runs_dir / "second", "second", complete=True)
            for folder in (working_dir, first.path, second.path):
                folder.mkdir(parents=True)
            self.state_before = _read_global_state()
            with chdir(working_dir):
                self._track("a run", spec, first, range(STEPS))
                first.complete = True
                try:
                    with preserves_rng_state():  # not above: imports may draw random numbers
                        self._track("the run, resumed", spec, first, range(STEPS, STEPS + 2))
                except RandomStateError as error:
                    self.rng_error = error
                self._track("another run", spec, second, range(STEPS))
            self.state_after = _read_global_state()
            self.leftover_files = [path.name for path in working_dir.iterdir()]

    def _track(self, name: str, spec: TrackerSpec, run: TrackedRun, steps: range) -> None:
        try:
            _track_run(spec, run, steps)
        except Exception as error:  # noqa: BLE001  the check reports it
            self.failures[name] = error

    def check_tracked(self, name: str) -> None:
        if name in self.failures:
            error = self.failures[name]
            fail(f"expected {name} to be tracked, found {type(error).__name__}: {error}")

    def check_working_directory(self) -> None:
        expect(
            not self.leftover_files,
            f"expected nothing in the current folder, found {', '.join(self.leftover_files)}",
        )

    def check_no_network_access(self) -> None:
        expect(not self.connections, f"expected no connection, found one to {', '.join(map(str, self.connections))}")

    def check_rng_state(self) -> None:
        if self.rng_error is not None:
            fail(str(self.rng_error))

    def check_global_state(self) -> None:
        changed = [name for name, value in self.state_before.items() if self.state_after[name] != value]
        expect(not changed, f"expected an unchanged global state, found changed: {', '.join(changed)}")


def _read_global_state() -> dict[str, Any]:
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
def _block_connections() -> Iterator[list[Any]]:
    """Block connections to other machines, and yield the list of their addresses."""
    addresses: list[Any] = []
    connect = socket.socket.connect

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"localhost", "127.0.0.1", "::1"}:
            addresses.append(address)
            raise OSError("this check has no network")
        connect(self, address)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign, assignment]
    try:
        yield addresses
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
