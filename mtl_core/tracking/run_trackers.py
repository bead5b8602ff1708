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

from mtl_core.artifacts.history import EpochRecord
from mtl_core.artifacts.provenance import read_provenance
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.tracking.environment_snapshot import EnvironmentSnapshot
from mtl_core.tracking.tracked_names import TrackedNames
from mtl_core.tracking.tracked_run import TrackedRun
from mtl_core.tracking.tracking_state import TrackingState
from mtl_core.tracking.values import (
    Stage,
    collect_epoch_values,
    collect_final_values,
    flatten_config,
    flatten_provenance,
)

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

logger = logging.getLogger(__name__)


@contextmanager
def track_run(config: ExperimentConfig, run: RunDirectory, is_main_process: bool = True) -> Iterator["RunTrackers"]:
    """Start the trackers of a run, and finish them when the run ends or fails.

    Args:
        config: The experiment, which contains the trackers and is logged to them.
        run: The run directory, where trackers write by default.
        is_main_process: Whether this is the main process, which writes.

    Raises:
        MtlError: If a tracker cannot be started; training has not started at that point.
    """
    trackers = RunTrackers(config, run)
    try:
        if is_main_process and config.trackers:
            trackers.start()
        yield trackers
    finally:
        trackers.finish()


class RunTrackers:
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
        self._environment = EnvironmentSnapshot()
        self._started: dict[str, GeneralTracker] = {}

    def start(self) -> None:
        """Start all trackers and log the config and the provenance.

        Raises:
            MtlError: If a tracker cannot be started.
        """
        self._state.write(self._directory.tracking)  # save the id before a tracker uses it
        files_before = self._list_files()
        provenance = read_provenance(self._directory.provenance)
        settings = flatten_config(self._config) | ({} if provenance is None else flatten_provenance(provenance))
        values = {self._names.get_name(key): value for key, value in settings.items()}
        try:
            for index, spec in enumerate(self._config.trackers):
                location = f"trackers.{index} ({spec.type})"
                with self._environment.record_changes(), _name_tracker_in_errors(f"{location}: cannot be started"):
                    tracker = spec.build(self._run)
                    tracker.start()
                    self._started[location] = tracker
                    tracker.store_init_configuration(values)
        finally:
            self._state.files = sorted({*self._state.files, *(self._list_files() - files_before)})
            self._state.write(self._directory.tracking)

    def log_epoch(self, stage: Stage, record: EpochRecord) -> None:
        """Log an epoch, unless it was logged before the run was interrupted.

        The state is saved before the epoch is logged: if the process is killed in between, the epoch is lost, but
        no epoch is logged twice. The step is the number of epochs so far over both trainings.
        """
        if not self._started or record.epoch <= self._state.epochs.get(stage, 0):
            return
        self._state.epochs[stage] = record.epoch
        self._state.write(self._directory.tracking)
        self._log(collect_epoch_values(stage, record))

    def log_final_metrics(self, metrics_path: Path) -> None:
        """Log the final metrics after all other files of the run are written.

        Args:
            metrics_path: The path of the run's `metrics.json`.
        """
        self._run.complete = True
        if self._started and not self._state.finished:
            self._state.finished = True
            self._state.write(self._directory.tracking)
            self._log(collect_final_values(json.loads(metrics_path.read_text(encoding="utf-8"))))

    def finish(self) -> None:
        """Finish all trackers and restore environment variables."""
        self._call_each("cannot be finished", lambda tracker: tracker.finish())
        self._started.clear()
        self._environment.restore()

    def _log(self, values: dict[str, float]) -> None:
        named_values = {self._names.get_name(name): value for name, value in values.items()}
        step = sum(self._state.epochs.values())
        self._call_each("could not log and is disabled", lambda tracker: tracker.log(named_values, step=step))

    def _call_each(self, problem: str, action: "Callable[[GeneralTracker], None]") -> None:
        for location, tracker in list(self._started.items()):
            try:
                with self._environment.record_changes():
                    action(tracker)
            except Exception as error:  # noqa: BLE001  the run continues whatever a tracker raises
                del self._started[location]
                logger.warning("%s: %s: %s: %s", location, problem, type(error).__name__, error)

    def _list_files(self) -> set[str]:
        return {path.name for path in self._directory.path.iterdir()}


@contextmanager
def _name_tracker_in_errors(location: str) -> Iterator[None]:
    """Convert every exception inside the block to an `MtlError` that names the tracker."""
    try:
        yield
    except MtlError as error:
        raise MtlError(f"{location}: {error}") from error
    except Exception as error:
        raise MtlError(f"{location}: {type(error).__name__}: {error}") from error
