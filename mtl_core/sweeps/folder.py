"""The output directory of a sweep: the names of its files, and the check that it belongs to this sweep."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config
from mtl_core.errors import MtlError
from mtl_core.sweeps.space import Sweep


@dataclass(frozen=True)
class SweepFolder:
    """The output directory of a sweep, and the names of its files."""

    path: Path

    @property
    def plan(self) -> Path:
        """The experiment and the `sweep:` block that the folder belongs to."""
        return self.path / "sweep.json"

    @property
    def database(self) -> Path:
        """Optuna's SQLite storage."""
        return self.path / "study.db"

    @property
    def trials(self) -> Path:
        """The table of trials, one line per trial."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """The best trial as an experiment."""
        return self.path / "best.yaml"

    def trial(self, number: int) -> Path:
        """Return the experiment file of a trial; its name is the prefix of the trial's run directories."""
        return self.path / "trials" / f"{number:04d}.yaml"

    def claim(self, config: ExperimentConfig, sweep: Sweep, seeds: int) -> None:
        """Create the folder, or reuse one of the same sweep. The number of trials may differ.

        Args:
            config: The experiment.
            sweep: The `sweep:` block.
            seeds: Number of seeds per trial.

        Raises:
            MtlError: If the folder contains something else, or cannot be created.
        """
        plan = _plan(config, sweep, seeds)
        if self.path.exists():
            _compare(self.path, _read(self.plan), plan)
            return
        try:
            self.path.mkdir(parents=True)
            self.trial(0).parent.mkdir()
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be created: {error.strerror}") from error
        write_text_atomically(self.plan, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")


def _plan(config: ExperimentConfig, sweep: Sweep, seeds: int) -> dict[str, Any]:
    return {"experiment": dump_config(config), **sweep.model_dump(mode="json", exclude={"trials"}), "seeds": seeds}


def _read(plan: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(plan.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _compare(path: Path, found: dict[str, Any] | None, plan: dict[str, Any]) -> None:
    if found is None:
        raise MtlError(f"{path}: exists already, and contains no sweep; choose another --out")
    differs = [key for key in plan if found.get(key) != plan[key]]
    if differs:
        raise MtlError(
            f"{path}: contains a sweep with another {', '.join(differs)}; choose another --out, "
            "or repeat the original options"
        )
