"""The trackers of a run: started before training, updated after every epoch, always finished.

A tracker is a `GeneralTracker` of Hugging Face Accelerate. This module and not an `Accelerator` calls its methods:
an `Accelerator` does not report which tracker fails, and starts either all trackers or none.
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
    """Start the trackers of a run, and finish them when the run ends or fails.

    Args:
        config: The experiment, which contains the trackers and is logged to them.
        run: The run directory, where trackers write by default.
        main: Whether this is the main process, which writes.

    Raises:
        MtlError: If a tracker cannot be started; training has not started at that point.
    """
    trackers = Tracking(config, run)
    try:
        if main and config.trackers:
            trackers.start()
        yield trackers
    finally:
        trackers.finish()


class Tracking:
    """Logs a run to its trackers.

    A tracker that fails during training is disabled with a warning, and training continues: `history.csv` and
    `metrics.json` contain every metric.

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
        """Start all trackers and log the config.

        Raises:
            MtlError: If a tracker cannot be started.
        """
        self._state.write(self._directory.tracking)  # save the id before a tracker uses it
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
        """Log an epoch, unless it was logged before the run was interrupted.

        The state is saved before the epoch is logged: if the process is killed in between, the epoch is lost, but
        no epoch is logged twice. The step is the number of epochs so far over both trainings.
        """
        if not self._started or record.epoch <= self._state.epochs.get(stage, 0):
            return
        self._state.epochs[stage] = record.epoch
        self._state.write(self._directory.tracking)
        self._log(epoch_values(stage, record))

    def complete(self, metrics: Path) -> None:
        """Log the final metrics after all other files of the run are written.

        Args:
            metrics: The path of the run's `metrics.json`.
        """
        self._run.complete = True
        if self._started and not self._state.finished:
            self._state.finished = True
            self._state.write(self._directory.tracking)
            self._log(final_values(json.loads(metrics.read_text(encoding="utf-8"))))

    def finish(self) -> None:
        """Finish all trackers and restore environment variables."""
        self._each("cannot be finished", lambda tracker: tracker.finish())
        self._started.clear()
        self._environment.restore()

    def _log(self, values: dict[str, float]) -> None:
        named = {self._names.name(name): value for name, value in values.items()}
        step = sum(self._state.epochs.values())
        self._each("could not log and is disabled", lambda tracker: tracker.log(named, step=step))

    def _each(self, what: str, action: "Callable[[GeneralTracker], None]") -> None:
        for where, tracker in list(self._started.items()):
            try:
                with self._environment.watching():
                    action(tracker)
            except Exception as error:  # noqa: BLE001  the run continues whatever a tracker raises
                del self._started[where]
                logger.warning("%s: %s: %s: %s", where, what, type(error).__name__, error)

    def _files(self) -> set[str]:
        return {path.name for path in self._directory.path.iterdir()}


@contextmanager
def _told_as(where: str) -> Iterator[None]:
    """Convert every exception inside the block to an `MtlError` that names the tracker."""
    try:
        yield
    except MtlError as error:
        raise MtlError(f"{where}: {error}") from error
    except Exception as error:
        raise MtlError(f"{where}: {type(error).__name__}: {error}") from error
