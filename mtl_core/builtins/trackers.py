"""Experiment trackers, which log the metrics of a run. All of them work offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from mtl_core.plugins.specs import TrackerSpec
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

OutputFolder = Annotated[Path, Field(strict=False)]


def _require_trackers_extra(*modules: str) -> Mapping[str, str]:
    return dict.fromkeys(modules, "'mtl-core[trackers]'")


class TensorBoard(TrackerSpec):
    """TensorBoard event files."""

    type: Literal["tensorboard"] = "tensorboard"
    folder: OutputFolder | None = None
    """A folder shared by runs, with one subfolder per run; default: `tensorboard` in the run directory."""

    def list_required_packages(self) -> Mapping[str, str]:
        """Return the required modules and the package that provides them."""
        return _require_trackers_extra("tensorboard")

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build the tracker."""
        from mtl_core.builtins.tensorboard_tracker import TensorBoardFiles

        shared_folder = self.folder and self.folder / f"{run.name}-{run.id[:6]}"  # names of runs are not unique
        return TensorBoardFiles(shared_folder or run.path / "tensorboard")


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
        return _require_trackers_extra("mlflow", *(() if self.uri else ("sqlalchemy", "alembic")))

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build the tracker."""
        from mtl_core.builtins.mlflow_tracker import MLflowStore

        folder = self.folder or run.path / "mlflow"
        return MLflowStore(run, self.experiment or run.experiment, self.uri or folder)


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
        return _require_trackers_extra("wandb")

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Build the tracker."""
        from mtl_core.builtins.wandb_tracker import WandBRun

        return WandBRun(run, self.project or run.experiment, self.entity, self.mode, self.folder or run.path)
