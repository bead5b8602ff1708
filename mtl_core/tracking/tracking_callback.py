"""A training callback that also logs epochs to trackers."""

from collections.abc import Callable

from mtl_core.artifacts.history import EpochRecord
from mtl_core.tracking.run_trackers import RunTrackers
from mtl_core.tracking.values import Stage
from mtl_core.training.callback import Callback


class TrackingCallback:
    """A callback that forwards all events to another callback and logs every epoch to trackers.

    Args:
        callback: The callback that receives all events.
        trackers: The trackers that log the epochs.
        stage: The stage that is trained.
    """

    def __init__(self, callback: Callback, trackers: RunTrackers, stage: Stage) -> None:
        self._callback, self._trackers, self._stage = callback, trackers, stage

    def on_stage_start(self, title: str) -> None:
        """Forward the start of a stage."""
        self._callback.on_stage_start(title)

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        """Forward the start of an epoch."""
        self._callback.on_epoch_start(epoch, epochs, batches, completed_batches)

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Forward the end of a step."""
        self._callback.on_step_end(means)

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Forward the end of an epoch and log its record."""
        self._callback.on_epoch_end(record, best)
        self._trackers.log_epoch(self._stage, record)
