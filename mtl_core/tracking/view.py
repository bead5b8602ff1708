"""Lets trackers watch a training beside whoever watches it."""

from collections.abc import Callable

from mtl_core.tracking.tracking import Tracking
from mtl_core.tracking.values import Stage
from mtl_core.training.history import EpochRecord
from mtl_core.training.loop import TrainingView


class TrackedView:
    """A view that also tells trackers of every epoch.

    Args:
        view: Is told everything.
        trackers: Are told of epochs.
        stage: Which training it is.
    """

    def __init__(self, view: TrainingView, trackers: Tracking, stage: Stage) -> None:
        self._view, self._trackers, self._stage = view, trackers, stage

    def stage_started(self, title: str) -> None:
        """A training begins."""
        self._view.stage_started(title)

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """An epoch begins."""
        self._view.epoch_started(epoch, epochs, batches, done)

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """A batch is done."""
        self._view.batch_done(means)

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """An epoch is complete."""
        self._view.epoch_done(record, best)
        self._trackers.epoch(self._stage, record)
