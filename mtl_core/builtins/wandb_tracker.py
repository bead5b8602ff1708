"""Weights & Biases."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from accelerate.tracking import WandBTracker

from mtl_core.builtins.tracker_folder import writable
from mtl_core.tracking.tracked_run import TrackedRun

QUIET = {"WANDB_ERROR_REPORTING": "false"}
"""Otherwise wandb tells its makers over the network what happens to it, offline too."""
SERVICE = "WANDB_SERVICE"
"""Set while the process that writes wandb's files is there."""


class WandBRun(WandBTracker):  # type: ignore[misc]
    """Accelerate's tracker, with a run of its own beside others of this process, and nothing left behind.

    Args:
        run: The run.
        project: The project.
        entity: The user or team; None for one's own.
        mode: Whether figures are sent.
        folder: Where `wandb` makes its folder.
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
        how = {"id": run.id, "name": run.name, "entity": entity, "mode": mode, "reinit": "create_new"}
        if mode == "online":
            how["resume"] = "allow"
        super().__init__(project, **how)

    def start(self) -> None:
        """Begin the run, without capturing what is printed, measuring the machine, or looking at the code.

        Raises:
            MtlError: If the folder cannot be written; wandb would take another.
        """
        folder = writable(self._folder)
        os.environ.update(QUIET)
        import wandb

        self._hooks = sys.exit, sys.excepthook
        self._alone = SERVICE not in os.environ
        self.init_kwargs |= {"dir": str(folder), "settings": wandb.Settings(**_SETTINGS)}
        super().start()

    def store_init_configuration(self, values: Mapping[str, str | int | float | bool]) -> None:
        """Keep the config."""
        self.run.config.update(dict(values), allow_val_change=True)

    def finish(self) -> None:
        """Close the run, end wandb's process if it was started for this run, and take its hooks out."""
        import wandb

        try:
            self.run.finish(exit_code=0 if self._run.complete else 1)
        finally:
            if self._alone:
                wandb.teardown()
            sys.exit, sys.excepthook = self._hooks


_SETTINGS = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "save_code": False,
    "x_disable_stats": True,
    "x_disable_meta": True,
}
