"""An MLflow store."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate.tracking import GeneralTracker

from mtl_core.builtins.tracker_folder import writable
from mtl_core.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

TAG = "mtl.run"
"""Marks a run in the store with its id, by which it is found again when it is resumed."""
AT_ONCE = 100
"""Values that are sent together; MLflow takes no more parameters."""
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
"""Otherwise MLflow tells its makers over the network that it is used. It reads this when it is imported."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}
"""MLflow would ask a server that does not answer for four minutes. Who has set this keeps what he has set."""


class MLflowStore(GeneralTracker):  # type: ignore[misc]
    """A run in an MLflow store.

    Accelerate's own tracker works through state that a whole process shares (the address of the store, the active
    run), which variables such as `MLFLOW_RUN_ID` turn elsewhere, and fails with more than 1,000 figures. This one
    uses MLflow's client, which has no such state.

    Args:
        run: The run.
        experiment: The MLflow experiment.
        place: The folder of a database, or an address.
    """

    name = "mlflow"
    requires_logging_directory = False

    def __init__(self, run: TrackedRun, experiment: str, place: Path | str) -> None:
        super().__init__()
        self._run, self._experiment, self._place = run, experiment, place

    @property
    def tracker(self) -> "MlflowClient":
        """MLflow's client."""
        return self._client

    def start(self) -> None:
        """Find the run in the store, or make it.

        Raises:
            MtlError: If the folder cannot be written.
        """
        os.environ.update(QUIET)
        os.environ.update({name: value for name, value in PATIENCE.items() if name not in os.environ})
        from mlflow import MlflowClient
        from mlflow.tracking.context.registry import resolve_tags

        if isinstance(self._place, Path):
            folder = writable(self._place)
            uri, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        else:
            uri, artifacts = self._place, None
        with _without_chatter():
            self._client = MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(self._experiment)
        home = known.experiment_id if known else self._client.create_experiment(self._experiment, artifacts)
        before = self._client.search_runs([home], filter_string=f"tags.`{TAG}` = '{self._run.id}'", max_results=1)
        if before:
            self._id = before[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
        else:
            tags = resolve_tags({TAG: self._run.id})
            self._id = self._client.create_run(home, tags=tags, run_name=self._run.name).info.run_id

    def store_init_configuration(self, values: Mapping[str, str | int | float | bool]) -> None:
        """Keep the config as parameters."""
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in values.items()]
        for start in range(0, len(params), AT_ONCE):
            self._client.log_batch(self._id, params=params[start : start + AT_ONCE])

    def log(self, values: Mapping[str, float], step: int | None = None, **kwargs: object) -> None:
        """Keep figures as metrics."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step or 0) for name, value in values.items()]
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(self._id, metrics=metrics[start : start + AT_ONCE])

    def finish(self) -> None:
        """Say how the run ended."""
        self._client.set_terminated(self._id, "FINISHED" if self._run.complete else "FAILED")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep MLflow from telling how it makes its tables."""
    talker = logging.getLogger("mlflow.store.db.utils")
    level = talker.level
    talker.setLevel(logging.WARNING)
    try:
        yield
    finally:
        talker.setLevel(level)
