"""The TensorBoard tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.trackers.output_folder import OutputFolder
from mtl_core.plugins.specs import TrackerSpec
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker


class TensorBoard(TrackerSpec):
    """TensorBoard event files."""

    type: Literal["tensorboard"] = "tensorboard"
    folder: OutputFolder | None = None
    """A folder shared by runs, with one subfolder per run; default: `tensorboard` in the run directory."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules and the package that provides them."""
        return {"tensorboard": "'mtl-core[trackers]'"}

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build the tracker."""
        from mtl_core.builtins.trackers.runtime.tensorboard import TensorBoardFiles

        shared_folder = self.folder and self.folder / f"{run.name}-{run.id[:6]}"  # names of runs are not unique
        return TensorBoardFiles(shared_folder or run.path / "tensorboard")
