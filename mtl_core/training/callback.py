"""Callbacks that follow a training, such as a progress bar."""

from collections.abc import Callable
from typing import Protocol

from mtl_core.artifacts.history import EpochRecord


class Callback(Protocol):
    """A training callback, such as a progress bar."""

    def on_stage_start(self, title: str) -> None:
        """Handle the start of a stage."""

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        """Handle the start of an epoch, or its continuation after `completed_batches` batches."""

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Handle the end of a step; `means` computes the running mean loss of each task."""

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Handle the end of an epoch."""


class NullCallback:
    """A callback that does nothing."""

    def on_stage_start(self, title: str) -> None:
        """Do nothing."""

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        """Do nothing."""

    def on_step_end(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Do nothing."""

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        """Do nothing."""
