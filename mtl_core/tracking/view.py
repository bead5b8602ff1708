"""A training callback that also logs epochs to trackers."""

from collections.abc import Callable

from mtl_core.tracking.tracking import Tracking
from mtl_core.tracking.values import Stage
from mtl_core.training.history import EpochRecord
from mtl_core.training.loop import TrainingView


class TrackedView:
    """A callback that forwards all events to another callback and logs every epoch to trackers.

    Args:
        view: The callback that receives all events.
        trackers: The trackers that log the epochs.
        stage: The stage that is trained.
    """

    def __init__(self, view: TrainingView, trackers: Tracking, stage: Stage) -> None:
        self._view, self._trackers, self._stage = view, trackers, stage

    def stage_started(self, title: str) -> None:
        """Forward the start of a stage."""
        self._view.stage_started(title)

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Forward the start of an epoch."""
        self._view.epoch_started(epoch, epochs, batches, done)

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Forward the end of a step."""
        self._view.batch_done(means)

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Forward the end of an epoch and log its record."""
        self._view.epoch_done(record, best)
        self._trackers.epoch(self._stage, record)
