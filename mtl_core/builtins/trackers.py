"""Trackers: where the figures of a run are kept besides its directory. All of them work without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from mtl_core.specs import TrackerSpec
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

OutputFolder = Annotated[Path, Field(strict=False)]


def _of_the_extra(*modules: str) -> Mapping[str, str]:
    return dict.fromkeys(modules, "'mtl-core[trackers]'")


class TensorBoard(TrackerSpec):
    """TensorBoard event files."""

    type: Literal["tensorboard"] = "tensorboard"
    folder: OutputFolder | None = None
    """A folder that runs share, each with one of its own in it; `tensorboard` in the run directory if left out."""

    def needs(self) -> Mapping[str, str]:
        """Name what must be installed."""
        return _of_the_extra("tensorboard")

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Make the tracker."""
        from mtl_core.builtins.tensorboard_tracker import TensorBoardFiles

        shared = self.folder and self.folder / f"{run.name}-{run.id[:6]}"  # runs elsewhere may have the same name
        return TensorBoardFiles(shared or run.path / "tensorboard")


class MLflow(TrackerSpec):
    """An MLflow store: a database file, or a server."""

    type: Literal["mlflow"] = "mlflow"
    folder: OutputFolder | None = None
    """The folder of the database `mlflow.db`, which runs may share; `mlflow` in the run directory if left out."""
    uri: str | None = Field(default=None, min_length=1)
    """A server or another store instead of a folder: `https://…`, `postgresql://…`."""
    experiment: str | None = Field(default=None, min_length=1)
    """The MLflow experiment that the run belongs to; the experiment's name if left out."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.folder is not None and self.uri is not None:
            raise ValueError("expected `folder` or `uri`, found both")
        return self

    def needs(self) -> Mapping[str, str]:
        """Name what must be installed."""
        return _of_the_extra("mlflow", *(() if self.uri else ("sqlalchemy", "alembic")))

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Make the tracker."""
        from mtl_core.builtins.mlflow_tracker import MLflowStore

        folder = self.folder or run.path / "mlflow"
        return MLflowStore(run, self.experiment or run.experiment, self.uri or folder)


class WandB(TrackerSpec):
    """Weights & Biases. Offline, files are written that `wandb sync` sends later."""

    type: Literal["wandb"] = "wandb"
    mode: Literal["offline", "online"] = "offline"
    """Whether figures are sent while the run is under way."""
    project: str | None = Field(default=None, min_length=1)
    """The project that the run belongs to; the experiment's name if left out."""
    entity: str | None = Field(default=None, min_length=1)
    """The user or team that the project belongs to; your own if left out."""
    folder: OutputFolder | None = None
    """The folder in which `wandb` makes its own, called `wandb`; the run directory if left out."""

    def needs(self) -> Mapping[str, str]:
        """Name what must be installed."""
        return _of_the_extra("wandb")

    def build(self, run: TrackedRun) -> GeneralTracker:
        """Make the tracker."""
        from mtl_core.builtins.wandb_tracker import WandBRun

        return WandBRun(run, self.project or run.experiment, self.entity, self.mode, self.folder or run.path)
