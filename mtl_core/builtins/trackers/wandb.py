"""The Weights & Biases tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mtl_core.builtins.trackers.output_folder import OutputFolder
from mtl_core.plugins.specs import TrackerSpec
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker


class WandB(TrackerSpec):
    """Weights & Biases. In offline mode, `wandb sync` uploads the files later."""

    type: Literal["wandb"] = "wandb"
    mode: Literal["offline", "online"] = "offline"
    """Whether metrics are uploaded during the run."""
    project: str | None = Field(default=None, min_length=1)
    """The project of the run; default: the experiment's name."""
    entity: str | None = Field(default=None, min_length=1)
    """The user or team that owns the project; default: your own account."""
    folder: OutputFolder | None = None
    """The folder in which wandb creates its folder `wandb`; default: the run directory."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules and the package that provides them."""
        return {"wandb": "'mtl-core[trackers]'"}

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build the tracker."""
        from mtl_core.builtins.trackers.runtime.wandb import WandBRun

        return WandBRun(run, self.project or run.experiment, self.entity, self.mode, self.folder or run.path)
