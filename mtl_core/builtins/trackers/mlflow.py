"""The MLflow tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from mtl_core.builtins.trackers.output_folder import OutputFolder
from mtl_core.plugins.specs import TrackerSpec
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker


class MLflow(TrackerSpec):
    """An MLflow store: a database file, or a server."""

    type: Literal["mlflow"] = "mlflow"
    folder: OutputFolder | None = None
    """The folder of the database `mlflow.db`, which runs may share; default: `mlflow` in the run directory."""
    uri: str | None = Field(default=None, min_length=1)
    """A tracking server or database instead of a folder: `https://…`, `postgresql://…`."""
    experiment: str | None = Field(default=None, min_length=1)
    """The MLflow experiment of the run; default: the experiment's name."""

    @model_validator(mode="after")
    def _validate_destination(self) -> Self:
        if self.folder is not None and self.uri is not None:
            raise ValueError("expected `folder` or `uri`, found both")
        return self

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules and the package that provides them."""
        return dict.fromkeys(["mlflow", *([] if self.uri else ["sqlalchemy", "alembic"])], "'mtl-core[trackers]'")

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build the tracker."""
        from mtl_core.builtins.trackers.runtime.mlflow import MLflowStore

        folder = self.folder or run.path / "mlflow"
        return MLflowStore(run, self.experiment or run.experiment, self.uri or folder)
