"""The Weights & Biases tracker."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from accelerate.tracking import WandBTracker

from mtl_core.builtins.trackers.output_folder import create_writable_folder
from mtl_core.tracking.tracked_run import TrackedRun

NO_TELEMETRY = {"WANDB_ERROR_REPORTING": "false"}
"""Environment variables that disable wandb's error reporting, which it does in offline mode too."""

SERVICE_VARIABLE = "WANDB_SERVICE"
"""Environment variable that is set while wandb's service process runs."""


class WandBRun(WandBTracker):  # type: ignore[misc]
    """Accelerate's tracker, with a separate wandb run per tracker and complete cleanup of wandb's state.

    Args:
        run: The run.
        project: The project.
        entity: The user or team; None for the user's account.
        mode: Whether metrics are uploaded.
        folder: The folder in which wandb creates its folder.
    """

    def __init__(
        self,
        run: TrackedRun,
        project: str,
        entity: str | None,
        mode: Literal["offline", "online"],
        folder: Path,
    ) -> None:
        self._run, self._folder = run, folder
        init_options = {"id": run.id, "name": run.name, "entity": entity, "mode": mode, "reinit": "create_new"}
        if mode == "online":
            init_options["resume"] = "allow"
        super().__init__(project, **init_options)

    def start(self) -> None:
        """Start the run, without console capture, system metrics or code tracking.

        Raises:
            MtlError: If the folder is not writable; wandb would silently use another one.
        """
        folder = create_writable_folder(self._folder)
        os.environ.update(NO_TELEMETRY)
        import wandb

        self._original_hooks = sys.exit, sys.excepthook
        self._owns_service = SERVICE_VARIABLE not in os.environ
        self.init_kwargs |= {"dir": str(folder), "settings": wandb.Settings(**_SETTINGS)}
        super().start()

    def store_init_configuration(self, values: Mapping[str, str | int | float | bool]) -> None:
        """Log the config."""
        self.run.config.update(dict(values), allow_val_change=True)

    def finish(self) -> None:
        """Finish the run, stop wandb's process if this run started it, and restore the `sys` hooks."""
        import wandb

        try:
            self.run.finish(exit_code=0 if self._run.complete else 1)
        finally:
            if self._owns_service:
                wandb.teardown()
            sys.exit, sys.excepthook = self._original_hooks


_SETTINGS = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "save_code": False,
    "x_disable_stats": True,
    "x_disable_meta": True,
}
