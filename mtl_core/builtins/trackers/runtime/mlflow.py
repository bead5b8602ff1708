"""The MLflow tracker."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate.tracking import GeneralTracker

from mtl_core.builtins.trackers.output_folder import create_writable_folder
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_ID_TAG = "mtl.run"
"""Tag with the run's id, which identifies the MLflow run on resume."""

MAX_VALUES_PER_REQUEST = 100
"""Number of values per request; MLflow's limit for parameters."""

NO_TELEMETRY = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
"""Environment variables that disable MLflow's telemetry. MLflow reads them on import."""

RETRY_LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}
"""Defaults that limit retries, which otherwise last four minutes. User settings take precedence."""


class MLflowStore(GeneralTracker):  # type: ignore[misc]
    """A run in an MLflow store.

    Accelerate's own tracker depends on process-wide state (tracking URI, active run), which variables such as
    `MLFLOW_RUN_ID` change, and fails with more than 1,000 metrics. This one uses MLflow's client, which has no such
    state.

    Args:
        run: The run.
        experiment: The MLflow experiment.
        place: The folder of a database, or a tracking URI.
    """

    name = "mlflow"
    requires_logging_directory = False

    def __init__(self, run: TrackedRun, experiment: str, destination: Path | str) -> None:
        super().__init__()
        self._run, self._experiment, self._destination = run, experiment, destination

    @property
    def tracker(self) -> "MlflowClient":
        """MLflow's client."""
        return self._client

    def start(self) -> None:
        """Find the run in the store, or create it.

        Raises:
            MtlError: If the folder is not writable.
        """
        os.environ.update(NO_TELEMETRY)
        os.environ.update({name: value for name, value in RETRY_LIMITS.items() if name not in os.environ})
        from mlflow import MlflowClient
        from mlflow.tracking.context.registry import resolve_tags

        if isinstance(self._destination, Path):
            folder = create_writable_folder(self._destination)
            uri, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        else:
            uri, artifacts = self._destination, None
        with _suppress_migration_logs():
            self._client = MlflowClient(tracking_uri=uri)
        mlflow_experiment = self._client.get_experiment_by_name(self._experiment)
        experiment_id = (
            mlflow_experiment.experiment_id
            if mlflow_experiment
            else self._client.create_experiment(self._experiment, artifacts)
        )
        existing_runs = self._client.search_runs(
            [experiment_id], filter_string=f"tags.`{RUN_ID_TAG}` = '{self._run.id}'", max_results=1
        )
        if existing_runs:
            self._id = existing_runs[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
        else:
            tags = resolve_tags({RUN_ID_TAG: self._run.id})
            self._id = self._client.create_run(experiment_id, tags=tags, run_name=self._run.name).info.run_id

    def store_init_configuration(self, values: Mapping[str, str | int | float | bool]) -> None:
        """Log the config as parameters."""
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in values.items()]
        for start in range(0, len(params), MAX_VALUES_PER_REQUEST):
            self._client.log_batch(self._id, params=params[start : start + MAX_VALUES_PER_REQUEST])

    def log(self, values: Mapping[str, float], step: int | None = None, **kwargs: object) -> None:
        """Log metrics."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step or 0) for name, value in values.items()]
        for start in range(0, len(metrics), MAX_VALUES_PER_REQUEST):
            self._client.log_batch(self._id, metrics=metrics[start : start + MAX_VALUES_PER_REQUEST])

    def finish(self) -> None:
        """Set the final status of the run."""
        self._client.set_terminated(self._id, "FINISHED" if self._run.complete else "FAILED")


@contextmanager
def _suppress_migration_logs() -> Iterator[None]:
    """Suppress MLflow's log messages about the creation of its database tables."""
    logger = logging.getLogger("mlflow.store.db.utils")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
