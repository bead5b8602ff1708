"""The trackers of a run: started before training, told of every epoch, finished in any case.

A tracker is a `GeneralTracker` of Hugging Face Accelerate. Its methods are called here and not by an `Accelerator`,
which would not say whose failure it was, and would start all or none.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.runs.directory import RunDirectory
from mtl_core.tracking.environment import KeptEnvironment
from mtl_core.tracking.names import TrackedNames
from mtl_core.tracking.state import TrackingState
from mtl_core.tracking.tracked_run import TrackedRun
from mtl_core.tracking.values import Stage, config_values, epoch_values, final_values
from mtl_core.training.history import EpochRecord

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

logger = logging.getLogger(__name__)


@contextmanager
def tracking(config: ExperimentConfig, run: RunDirectory, main: bool = True) -> Iterator["Tracking"]:
    """Start a run's trackers, and finish them when the run ends, well or not.

    Args:
        config: Names the trackers, and is told to them.
        run: Where they write by default.
        main: Whether this process is the one that writes.

    Raises:
        MtlError: If a tracker cannot be started. No training has begun, and what was asked for would be missing.
    """
    trackers = Tracking(config, run)
    try:
        if main and config.trackers:
            trackers.start()
        yield trackers
    finally:
        trackers.finish()


class Tracking:
    """Tells trackers what happens.

    A tracker that fails once training is under way is told no more, with a warning: `history.csv` and
    `metrics.json` have every figure, and hours of training are worth more than a chart.

    Args:
        config: The experiment.
        run: The run directory.
    """

    def __init__(self, config: ExperimentConfig, run: RunDirectory) -> None:
        self._config, self._directory = config, run
        self._state = TrackingState.read(run.tracking)
        self._run = TrackedRun(config.name, run.path, self._state.id)
        self._names = TrackedNames()
        self._environment = KeptEnvironment()
        self._started: dict[str, GeneralTracker] = {}

    def start(self) -> None:
        """Start all of them and tell them the config.

        Raises:
            MtlError: If one cannot be started.
        """
        self._state.write(self._directory.tracking)  # the id is known before anybody uses it
        before = self._files()
        values = {self._names.name(key): value for key, value in config_values(self._config).items()}
        try:
            for place, spec in enumerate(self._config.trackers):
                where = f"trackers.{place} ({spec.type})"
                with self._environment.watching(), _told_as(f"{where}: cannot be started"):
                    tracker = spec.build(self._run)
                    tracker.start()
                    self._started[where] = tracker
                    tracker.store_init_configuration(values)
        finally:
            self._state.files = sorted({*self._state.files, *(self._files() - before)})
            self._state.write(self._directory.tracking)

    def epoch(self, stage: Stage, record: EpochRecord) -> None:
        """Tell of an epoch, unless it was told before the run was cut off.

        It is noted as told before it is: an epoch could be lost if the process dies at this moment, but none is
        there twice. Its step is the number of epochs so far, those of a second training counted on.
        """
        if not self._started or record.epoch <= self._state.epochs.get(stage, 0):
            return
        self._state.epochs[stage] = record.epoch
        self._state.write(self._directory.tracking)
        self._log(epoch_values(stage, record))

    def complete(self, metrics: Path) -> None:
        """Tell the final figures, once everything else is written.

        Args:
            metrics: The run's `metrics.json`.
        """
        self._run.complete = True
        if self._started and not self._state.finished:
            self._state.finished = True
            self._state.write(self._directory.tracking)
            self._log(final_values(json.loads(metrics.read_text(encoding="utf-8"))))

    def finish(self) -> None:
        """Close everything, and put environment variables back."""
        self._each("cannot be finished", lambda tracker: tracker.finish())
        self._started.clear()
        self._environment.restore()

    def _log(self, values: dict[str, float]) -> None:
        named = {self._names.name(name): value for name, value in values.items()}
        step = sum(self._state.epochs.values())
        self._each("could not log and is told no more", lambda tracker: tracker.log(named, step=step))

    def _each(self, what: str, action: "Callable[[GeneralTracker], None]") -> None:
        for where, tracker in list(self._started.items()):
            try:
                with self._environment.watching():
                    action(tracker)
            except Exception as error:  # noqa: BLE001  whatever a tracker does, the run goes on
                del self._started[where]
                logger.warning("%s: %s: %s: %s", where, what, type(error).__name__, error)

    def _files(self) -> set[str]:
        return {path.name for path in self._directory.path.iterdir()}


@contextmanager
def _told_as(where: str) -> Iterator[None]:
    """Turn whatever is raised inside into an error that names the tracker."""
    try:
        yield
    except MtlError as error:
        raise MtlError(f"{where}: {error}") from error
    except Exception as error:
        raise MtlError(f"{where}: {type(error).__name__}: {error}") from error
