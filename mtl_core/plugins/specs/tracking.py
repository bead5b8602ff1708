"""Spec of experiment trackers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtl_core.plugins.extension_points import spec_base
from mtl_core.plugins.spec import Spec

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

    from mtl_core.tracking.tracked_run import TrackedRun


@spec_base("trackers")
class TrackerSpec(Spec):
    """Spec of an experiment tracker, which logs the metrics of a run."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules, each with its `pip install` argument. A run fails if one is missing."""
        return {}

    @abstractmethod
    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build a tracker that is not started yet.

        It receives the config (flat keys; strings, numbers and booleans), the metrics of each epoch, and the final
        metrics. Names consist of letters, digits and `_ - . /`. The tracker must restore all global state when it
        finishes; only environment variables are restored for it.

        Args:
            run: The run, and the folder that the tracker may write to: files in the run directory move with it.

        Raises:
            MtlError: If it cannot write to its destination.
        """
